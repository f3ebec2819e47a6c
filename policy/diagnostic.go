// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Diagnostic is one finding in a policy text.
type Diagnostic struct {
	// Document is the name of the document that Line is of; empty where the text
	// names none.
	Document string

	Line    int    // from 1
	Column  int    // from 1, in characters
	Width   int    // characters to underline, at least 1
	Message string // what is wrong and what to do about it
	Text    string // the offending line; empty when it is longer than MaxText
	Warning bool   // the policy works, though perhaps not as meant
}

// String returns the finding in one line: "3:7: message", or
// "web.policy:3:7: message" of a document.
func (d Diagnostic) String() string { return d.headline(d.Document) }

func (d Diagnostic) headline(file string) string {
	severity := ""
	if d.Warning {
		severity = "warning: "
	}
	if file != "" {
		file += ":"
	}
	return fmt.Sprintf("%s%d:%d: %s%s", file, d.Line, d.Column, severity, d.Message)
}

// Render returns the finding for people, without a newline at its end. File is
// named where the text names no document:
//
//	policy.conf:3:7: unknown field "dstprt"; did you mean "dstport"?
//	  3 | match(dstprt=80) >> {firewall}
//	    |       ^~~~~~
func (d Diagnostic) Render(file string) string {
	if d.Document != "" {
		file = d.Document
	}
	head := d.headline(file)
	if d.Text == "" {
		return head
	}
	number := fmt.Sprintf("%3d", d.Line)
	return fmt.Sprintf("%s\n%s | %s\n%*s | %s", head, number, d.Text, len(number), "", d.caret())
}

// caret returns the underline. Tabs of the text stay tabs, so that it stands
// under its characters at any tab width.
func (d Diagnostic) caret() string {
	var b strings.Builder
	left := d.Column - 1
	for _, r := range d.Text {
		if left <= 0 {
			break
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
		left--
	}
	b.WriteString(strings.Repeat(" ", max(left, 0)))
	b.WriteByte('^')
	room := utf8.RuneCountInString(d.Text) - d.Column
	b.WriteString(strings.Repeat("~", max(min(d.Width-1, room), 0)))
	return b.String()
}

// Errors is the error that [Parse] and [ParsePredicate] return: what is wrong
// with a text, in the order of its lines, at least one finding and at most
// MaxErrors and one that says that there are more.
type Errors []Diagnostic

// Error returns the first finding and how many more there are.
func (e Errors) Error() string {
	switch len(e) {
	case 0:
		return "no error"
	case 1:
		return e[0].String()
	case 2:
		return e[0].String() + " (and 1 more error)"
	}
	return fmt.Sprintf("%s (and %d more errors)", e[0], len(e)-1)
}

// Render returns all findings for people, with a newline after each.
func (e Errors) Render(file string) string { return renderAll(file, e) }

func renderAll(file string, diagnostics []Diagnostic) string {
	var b strings.Builder
	for _, d := range diagnostics {
		b.WriteString(d.Render(file))
		b.WriteByte('\n')
	}
	return b.String()
}

// position is a piece of the text, not longer than a line.
type position struct {
	off, end int    // in bytes
	line     int    // from 1
	document string // whose line it is
}

// diagnose makes a diagnostic of a message about a piece of the text.
func diagnose(source string, at position, message string) Diagnostic {
	start := strings.LastIndexByte(source[:at.off], '\n') + 1
	line := source[start:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	line = strings.TrimSuffix(line, "\r")
	end := min(max(at.end, at.off), start+len(line))
	d := Diagnostic{
		Document: at.document,
		Line:     at.line,
		Column:   1 + utf8.RuneCountInString(source[start:at.off]),
		Width:    1,
		Message:  message,
	}
	if end > at.off {
		d.Width = utf8.RuneCountInString(source[at.off:end])
	}
	if len(line) <= MaxText {
		d.Text = printable(line)
	}
	return d
}

// printable replaces what would upset a terminal, character for character.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, line)
}
