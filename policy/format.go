// SPDX-License-Identifier: Apache-2.0

package policy

import "strings"

// Format returns a policy text in the layout that all of ours have: one statement
// a line or, where its author has broken it inside brackets, broken there and
// indented by tabs; one blank between words where there is any; no more than one
// empty line. Comments stay where they are. The result reads as the same policy,
// and formatted again it is the same text. What is wrong with the text by itself is
// returned as [Errors]; it may name what another document declares.
func Format(source string) (string, error) {
	if _, err := read(source); err != nil {
		return "", err
	}
	f := formatter{lex: newLexer(source)}
	f.lex.comments = true
	for {
		t := f.lex.next()
		if t.kind == kindEOF {
			break
		}
		f.token(t)
	}
	f.endLine()
	return f.out.String(), nil
}

// formatter writes tokens of a right text.
type formatter struct {
	lex   lexer
	out   strings.Builder
	depth int // brackets open

	line  []token // what the line under way has so far
	empty int     // empty lines since the last one that was not
	begun bool    // a line has been written
}

func (f *formatter) token(t token) {
	switch t.kind {
	case kindNewline:
		if len(f.line) == 0 {
			f.empty++
		}
		f.endLine()
	case kindSemicolon:
		f.endLine()
	default:
		f.line = append(f.line, t)
	}
}

// endLine writes the line under way, if there is anything in it.
func (f *formatter) endLine() {
	if len(f.line) == 0 {
		return
	}
	if f.empty > 0 && f.begun {
		f.out.WriteByte('\n')
	}
	indent, leading := f.depth, true
	for _, t := range f.line {
		f.depth += opens(t)
		if leading = leading && opens(t) == -1; leading {
			indent--
		}
	}
	f.out.WriteString(strings.Repeat("\t", indent))
	for i, t := range f.line {
		if i > 0 && spaced(f.line[:i], t) {
			f.out.WriteByte(' ')
		}
		f.out.WriteString(written(t))
	}
	f.out.WriteByte('\n')
	f.line, f.empty, f.begun = f.line[:0], 0, true
}

// opens returns by how much a token makes brackets nest deeper.
func opens(t token) int {
	switch t.kind {
	case kindLeftParen, kindLeftBrace:
		return 1
	case kindRightParen, kindRightBrace:
		return -1
	}
	return 0
}

func written(t token) string {
	switch t.kind {
	case kindThen:
		return "->"
	case kindStar:
		return "any"
	case kindComment:
		return strings.TrimRight(t.text, " \t\r")
	}
	return t.text
}

// spaced reports whether a blank stands in front of a token that is not the first of
// its line.
func spaced(before []token, t token) bool {
	last := before[len(before)-1]
	switch {
	case t.kind == kindComment:
		return true
	case t.kind == kindComma, t.kind == kindRightParen, t.kind == kindEquals,
		last.kind == kindLeftParen, last.kind == kindNot, last.kind == kindEquals:
		return false
	case t.kind == kindLeftParen:
		return !last.is("match")
	// Braces around a chain have no blank inside, those around a list do.
	case last.kind == kindLeftBrace:
		return t.kind != kindRightBrace && !isChain(before)
	case t.kind == kindRightBrace:
		return !isChain(before)
	}
	return true
}

// isChain reports whether the last brace that was opened in a line belongs to a
// chain, and not to a list of instances or addresses.
func isChain(line []token) bool {
	for i := len(line) - 1; i >= 0; i-- {
		if line[i].kind == kindLeftBrace {
			return i > 0 && line[i-1].kind == kindLeadsTo
		}
	}
	return false
}
