// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"
)

// Sizes of the picture, in its own units.
const (
	plotWidth  = 760
	labelWidth = 330
	barHeight  = 16
	lineHeight = 22
	valueWidth = 50
	titleSpace = 40
)

// The picture stands on light and on dark pages.
const plotStyle = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.bar { fill: #9aa4af }
.ours { fill: #0969da }
.one { stroke: #1f2328; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.bar { fill: #6e7681 }
.ours { fill: #4493f8 }
.one { stroke: #e6edf3 }
}
</style>
`

// svg is a picture of what the middle host costs, a bar for each way to do it
// and a group for each family.
func svg(figures []figure) string {
	var b strings.Builder
	y := 0
	scale := plotScale(figures)
	for _, f := range families {
		bars := slices.DeleteFunc(slices.Clone(figures), func(fig figure) bool {
			return fig.Table != tableMiddle || fig.ComparedTo != "plain"+f.suffix
		})
		if len(bars) == 0 {
			continue
		}
		slices.SortStableFunc(bars, func(a, b figure) int { return cmp.Compare(a.Ratio, b.Ratio) })
		y = group(&b, f.name+", instructions a packet on the middle host, of plain forwarding's", bars, scale, y)
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img">`+
		"\n<title>Instructions a packet on the middle host</title>\n", plotWidth, y+lineHeight/2) +
		plotStyle + b.String() + "</svg>\n"
}

// plotScale is how long a bar of 1 is.
func plotScale(figures []figure) float64 {
	longest := 1.0
	for _, f := range figures {
		if f.Table == tableMiddle {
			longest = max(longest, f.Ratio)
		}
	}
	return (plotWidth - labelWidth - valueWidth) / longest
}

// group appends bars under a title, from y downward, and returns where it ends.
func group(b *strings.Builder, title string, bars []figure, scale float64, y int) int {
	fmt.Fprintf(b, `<text class="title" x="8" y="%d">%s</text>`+"\n", y+titleSpace-16, html.EscapeString(title))
	y += titleSpace
	top := y
	for _, f := range bars {
		class := "bar"
		if f.Module {
			class = "ours"
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-8, y+barHeight-3, html.EscapeString(f.Title))
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`, class, labelWidth, y, f.Ratio*scale, barHeight)
		fmt.Fprintf(b, `<text x="%.1f" y="%d">%.2f</text>`+"\n", labelWidth+f.Ratio*scale+6, y+barHeight-3, f.Ratio)
		y += lineHeight
	}
	x := labelWidth + scale
	fmt.Fprintf(b, `<line class="one" x1="%.1f" y1="%d" x2="%.1[1]f" y2="%d"/>`+"\n", x, top-4, y)
	return y
}
