// SPDX-License-Identifier: Apache-2.0

package policy

import "slices"

// documentStatement parses what follows "document", and the end of its line: what
// comes after it is line 1 of that document.
func (p *parser) documentStatement() bool {
	name := p.tok
	if !p.expect(kindWord, `a name after "document"`) {
		return false
	}
	p.checkName(name, "document", MaxDocumentName)
	switch {
	case slices.Contains(p.begun, name.text):
		p.errorf(name.position, "document %s is already part of this policy; join the two, or rename one", name)
	case len(p.begun) == MaxDocuments:
		p.errorf(name.position, "more than %d documents; join some of them", MaxDocuments)
		p.tok = token{kind: kindEOF, position: p.tok.position}
		return true
	}
	p.begun = append(p.begun, name.text)
	if p.tok.kind != kindNewline && p.tok.kind != kindEOF {
		return p.unexpected(`the end of the line after the name of a document`)
	}
	// The newline is read already, and no token behind it.
	p.lex.line, p.lex.document = 1, name.text
	return true
}
