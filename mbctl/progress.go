// SPDX-License-Identifier: Apache-2.0

package main

// progressLine is the line on a terminal that says how far a wait is.
type progressLine struct {
	*world
	quiet bool // nothing is to be shown
	shown int  // characters of the line that the cursor stands on
}

// show writes over the line; with nothing, it takes it away.
func (p *progressLine) show(line string) {
	if p.quiet || p.width == 0 || line == "" && p.shown == 0 {
		return
	}
	line = cut(line, p.width-1)
	p.printf("\r%s", pad(line, p.shown))
	if line == "" {
		p.printf("\r")
	}
	p.shown = len([]rune(line))
}
