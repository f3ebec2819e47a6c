// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// table is rows of cells in aligned columns. text/tabwriter will not do: it
// takes escape sequences for text.
type table struct {
	heads []string
	rows  [][]cell
}

// cell is text and its colour. A number stands at the right of its column.
type cell struct {
	text   string
	colour colour
	number bool
}

func text(s string) cell             { return cell{text: dash(s)} }
func tinted(c colour, s string) cell { return cell{text: dash(s), colour: c} }
func number(n uint64) cell           { return cell{text: countText(n), number: true} }
func figure(s string) cell           { return cell{text: s, number: true} }

func newTable(heads ...string) *table { return &table{heads: heads} }

// add appends a row of as many cells as there are heads.
func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// gap is what separates two columns.
const gap = "  "

// print writes the table. On a terminal the last column is cut at its edge.
func (t *table) print(w *world) {
	rows := t.rows
	if t.heads != nil {
		rows = append([][]cell{t.headRow()}, rows...)
	}
	widths := t.widths(rows)
	for _, row := range rows {
		w.printf("%s\n", t.line(w, row, widths))
	}
}

func (t *table) headRow() []cell {
	row := make([]cell, len(t.heads))
	for i, head := range t.heads {
		row[i] = cell{text: head, colour: faint}
		if len(t.rows) > 0 {
			row[i].number = t.rows[0][i].number
		}
	}
	return row
}

func (t *table) widths(rows [][]cell) []int {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(c.text)))
		}
	}
	return widths
}

func (t *table) line(w *world, row []cell, widths []int) string {
	var b strings.Builder
	used := 0
	for i, c := range row {
		last := i == len(row)-1
		switch {
		case c.number:
			c.text = pad(c.text, -widths[i])
		case !last:
			c.text = pad(c.text, widths[i])
		case w.width > used:
			c.text = cut(c.text, w.width-used)
		}
		b.WriteString(w.paint(c.colour, c.text))
		if !last {
			b.WriteString(gap)
		}
		used += widths[i] + len(gap)
	}
	return strings.TrimRight(b.String(), " ")
}
