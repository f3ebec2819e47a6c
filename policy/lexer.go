// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// kind of a token.
type kind uint8

const (
	kindEOF kind = iota
	kindNewline
	kindSemicolon
	kindWord // name, keyword, number, address: what it is depends on its place
	kindLeftParen
	kindRightParen
	kindLeftBrace
	kindRightBrace
	kindComma
	kindAnd
	kindOr
	kindNot
	kindEquals
	kindStar
	kindLeadsTo // >>
	kindThen    // ->
	kindComment // from "#" to the end of its line
	kindBad     // no token of the language; its text says what to write
)

// token is a piece of the text. Of a bad one, text is a message.
type token struct {
	kind kind
	text string
	position
	first bool // on its line
}

// String returns the token as messages name it.
func (t token) String() string {
	switch t.kind {
	case kindEOF:
		return "the end of the text"
	case kindNewline:
		return "the end of the line"
	}
	const longest = 40
	if len(t.text) > longest {
		return fmt.Sprintf("%q...", strings.ToValidUTF8(t.text[:longest], ""))
	}
	return fmt.Sprintf("%q", t.text)
}

// is reports whether the token is this word.
func (t token) is(word string) bool { return t.kind == kindWord && t.text == word }

// lexer cuts a text into tokens.
type lexer struct {
	source string
	off    int
	line   int
	inLine bool // a token of the current line has been returned

	document string // that the line is of
	comments bool   // return comments, too
}

const byteOrderMark = "\uFEFF"

func newLexer(source string) lexer {
	l := lexer{source: source, line: 1}
	if strings.HasPrefix(source, byteOrderMark) {
		l.off = len(byteOrderMark)
	}
	return l
}

// symbols of the language. The longest that fits wins, so they stand in order
// of length; some are there only to tell people how we write them.
var symbols = []struct {
	text string
	kind kind
	says string // of a bad symbol
}{
	{"→", kindThen, ""},
	{">>", kindLeadsTo, ""},
	{"->", kindThen, ""},
	{"&&", kindBad, `"&&" is not an operator; write "&"`},
	{"||", kindBad, `"||" is not an operator; write "|"`},
	{"==", kindBad, `"==" is not an operator; write "="`},
	{"!=", kindBad, `"!=" is not an operator; write ~(field=value)`},
	{"(", kindLeftParen, ""},
	{")", kindRightParen, ""},
	{"{", kindLeftBrace, ""},
	{"}", kindRightBrace, ""},
	{",", kindComma, ""},
	{";", kindSemicolon, ""},
	{"&", kindAnd, ""},
	{"|", kindOr, ""},
	{"~", kindNot, ""},
	{"=", kindEquals, ""},
	{"*", kindStar, ""},
	{"!", kindBad, `"!" is not an operator; write "~"`},
	{">", kindBad, `">" is not an operator; write ">>" before a chain and "->" inside it`},
	{"<", kindBad, `"<" is not an operator; write a range: dstport=0-1023`},
}

// next returns the next token. At the end of the text it returns kindEOF
// again and again.
func (l *lexer) next() token {
	l.skipBlanks()
	first := !l.inLine
	l.inLine = true
	rest := l.source[l.off:]
	if rest == "" {
		return l.take(kindEOF, 0, first)
	}
	if rest[0] == '#' {
		return l.take(kindComment, commentLen(rest), first)
	}
	if rest[0] == '\n' {
		t := l.take(kindNewline, 1, first)
		l.line++
		l.inLine = false
		return t
	}
	for _, s := range symbols {
		if strings.HasPrefix(rest, s.text) {
			t := l.take(s.kind, len(s.text), first)
			if s.kind == kindBad {
				t.text = s.says
			}
			return t
		}
	}
	if n := wordLen(rest); n > 0 {
		return l.take(kindWord, n, first)
	}
	r, n := utf8.DecodeRuneInString(rest)
	t := l.take(kindBad, n, first)
	if r == utf8.RuneError && n == 1 {
		t.text = fmt.Sprintf("byte %#02x is not valid UTF-8; remove it", rest[0])
	} else {
		t.text = fmt.Sprintf("character %q (%U) has no meaning here; remove it", r, r)
	}
	return t
}

func (l *lexer) take(k kind, n int, first bool) token {
	t := token{
		kind:     k,
		text:     l.source[l.off : l.off+n],
		position: position{off: l.off, end: l.off + n, line: l.line, document: l.document},
		first:    first,
	}
	l.off += n
	return t
}

// skipBlanks skips blanks and, unless it is wanted, a comment, not the newline
// behind them.
func (l *lexer) skipBlanks() {
	for l.off < len(l.source) {
		switch l.source[l.off] {
		case ' ', '\t', '\r':
			l.off++
		case '#':
			if l.comments {
				return
			}
			l.off += commentLen(l.source[l.off:])
		default:
			return
		}
	}
}

// commentLen returns how long the comment is with which s begins.
func commentLen(s string) int {
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return n
	}
	return len(s)
}

// wordLen returns how long the word is with which s begins, 0 if none does. A
// hyphen belongs to a word ("on-failure", "5000-5999") unless it is that of
// an arrow; a "%" only to an address, whose zone it begins ("fe80::1%eth0").
func wordLen(s string) int {
	for i := range len(s) {
		c := s[i]
		switch {
		case isLetter(c), isDigit(c), c == '.', c == ':', c == '/':
		case c == '-' && !strings.HasPrefix(s[i:], "->"):
		case c == '%' && strings.Contains(s[:i], ":"):
		default:
			return i
		}
	}
	return len(s)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
