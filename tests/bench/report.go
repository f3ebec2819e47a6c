// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Between these lines of a document stands the table of the last report.
const (
	begin = "<!-- bench:begin -->"
	end   = "<!-- bench:end -->"
)

// report prints the rows of a file as a table, and puts it into a document if
// one is named.
func report(in, doc string) error {
	b, err := os.ReadFile(in)
	if err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	var rows []row
	if err := json.Unmarshal(b, &rows); err != nil {
		return fmt.Errorf("read rows of %s: %w", in, err)
	}
	table := markdown(rows)
	fmt.Print(table)
	if doc == "" {
		return nil
	}
	text, err := os.ReadFile(doc)
	if err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return fmt.Errorf("update %s: it lacks the lines %s and %s", doc, begin, end)
	}
	updated := string(before) + begin + "\n" + table + end + string(after)
	return os.WriteFile(doc, []byte(updated), 0o644)
}

func markdown(rows []row) string {
	var b strings.Builder
	b.WriteString("| the middle host does | instructions a packet | ratio |\n|---|---:|---:|\n")
	for _, r := range rows {
		name := r.Name
		if strings.HasPrefix(name, "mbchain") {
			name = "**" + name + "**"
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.2f |\n", name, r.InstructionsPerPacket, r.Ratio)
	}
	return b.String()
}
