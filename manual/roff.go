// SPDX-License-Identifier: Apache-2.0

package manual

import (
	"fmt"
	"strings"
)

// special are the characters that roff would read or print as something else: a
// hyphen for a minus sign, quotes for curly ones.
var special = map[rune]string{
	'\\': `\e`, '-': `\-`, '\'': `\(aq`, '`': `\(ga`, '^': `\(ha`, '~': `\(ti`, '"': `\(dq`,
}

// escape writes text so that roff prints it as it is, on one line.
func escape(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch escaped, is := special[r]; {
		case is:
			b.WriteString(escaped)
		case r == '.' && i == 0: // else a request; a quote is escaped already
			b.WriteString(`\&.`)
		case r == '\n' || r == '\t':
			b.WriteByte(' ')
		case r < ' ' || r == 0x7f: // has no business in a text
			b.WriteByte('?')
		case r > 0x7e:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

const (
	bold   = `\fB`
	italic = `\fI`
	roman  = `\fR`
)

// prose is escape for a sentence: what stands between backquotes is to be typed.
func prose(text string) string {
	parts := strings.Split(text, "`")
	if len(parts)%2 == 0 { // one too many: a character like any other
		return escape(text)
	}
	var b strings.Builder
	for i, part := range parts {
		switch {
		case i%2 == 1:
			b.WriteString(bold + escape(part) + roman)
		case i == 0:
			b.WriteString(escape(part))
		default: // it begins no line
			b.WriteString(strings.TrimPrefix(escape(part), `\&`))
		}
	}
	return b.String()
}

// usage is escape for how something is called: options and lower case are to be typed,
// what is in capitals stands for something.
func usage(text string) string {
	words := strings.Fields(text)
	for i, word := range words {
		name := strings.Trim(word, "[]().|,=:")
		font := bold
		if name != "" && strings.ToUpper(name) == name && !strings.HasPrefix(name, "-") {
			font = italic
		}
		words[i] = font + escape(word) + roman
	}
	return strings.Join(words, " ")
}
