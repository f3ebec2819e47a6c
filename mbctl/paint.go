// SPDX-License-Identifier: Apache-2.0

package main

// colour is the number of an ANSI rendition; plain changes nothing. Colour
// only repeats what the words say.
type colour string

const (
	plain  colour = ""
	bold   colour = "1"
	faint  colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
)

// paint wraps s in escape sequences where the terminal takes them.
func (w *world) paint(c colour, s string) string {
	if !w.colour || c == plain || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// glyphs are the characters drawings are made of.
type glyphs struct {
	end, middle, missing string // a host of a chain
	line                 string
	right, left          string
}

var (
	unicodeGlyphs = glyphs{end: "●", middle: "■", missing: "○", line: "│", right: "→", left: "←"}
	asciiGlyphs   = glyphs{end: "o", middle: "#", missing: "?", line: "|", right: "->", left: "<-"}
)

func (w *world) glyphs() glyphs {
	if w.utf8 {
		return unicodeGlyphs
	}
	return asciiGlyphs
}
