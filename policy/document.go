// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Document is one of several texts that make a policy.
type Document struct {
	Name string // as a document statement takes it
	Text string
}

// Join returns the one text that documents make, in their order. It refuses names
// that no document can have, and two that are the same.
func Join(documents []Document) (string, error) {
	if len(documents) > MaxDocuments {
		return "", fmt.Errorf("join documents: %d, at most %d make a policy", len(documents), MaxDocuments)
	}
	var b strings.Builder
	for i, d := range documents {
		p := newParser(d.Name)
		if p.tok.kind != kindWord || p.tok.text != d.Name {
			return "", fmt.Errorf(`join documents: %q cannot name a document; use a letter, then letters, digits, "-", "_" or "."`, d.Name)
		}
		p.checkName(p.tok, "document", MaxDocumentName)
		switch {
		case len(p.errs) > 0:
			return "", fmt.Errorf("join documents: %s", p.errs[0].Message)
		case slices.ContainsFunc(documents[:i], func(other Document) bool { return other.Name == d.Name }):
			return "", fmt.Errorf("join documents: two are called %q; rename one", d.Name)
		}
		fmt.Fprintf(&b, "document %s\n%s", d.Name, strings.TrimPrefix(d.Text, byteOrderMark))
		if !strings.HasSuffix(d.Text, "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String(), nil
}
