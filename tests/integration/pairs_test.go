// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"strings"
	"testing"
)

// A dimension lists the values that one condition of a matrix takes.
type dimension []string

// A cell is a choice of one value of each dimension.
type cell []string

func (c cell) String() string { return strings.Join(c, ", ") }

// is says whether the cell has a value.
func (c cell) is(value string) bool { return slices.Contains(c, value) }

// product is every cell of a matrix, the first dimension changing last.
func product(dimensions []dimension) []cell {
	cells := []cell{nil}
	for _, d := range dimensions {
		var longer []cell
		for _, c := range cells {
			for _, value := range d {
				longer = append(longer, append(slices.Clone(c), value))
			}
		}
		cells = longer
	}
	return cells
}

// A pair is two values of different dimensions.
type pair [2]string

// pairs are those of a cell.
func (c cell) pairs() (all []pair) {
	for i, a := range c {
		for _, b := range c[i+1:] {
			all = append(all, pair{a, b})
		}
	}
	return all
}

// sampleOf picks few cells of a matrix, in which every two values of different
// dimensions still meet: what goes wrong mostly takes one condition, or two. The
// next cell is always the first of those with most pairs that are new.
func sampleOf(dimensions []dimension) []cell {
	all := product(dimensions)
	missing := make(map[pair]bool)
	for _, c := range all {
		for _, p := range c.pairs() {
			missing[p] = true
		}
	}
	var picked []int
	for len(missing) > 0 {
		best, most := 0, 0
		for i, c := range all {
			n := 0
			for _, p := range c.pairs() {
				if missing[p] {
					n++
				}
			}
			if n > most {
				best, most = i, n
			}
		}
		for _, p := range all[best].pairs() {
			delete(missing, p)
		}
		picked = append(picked, best)
	}
	slices.Sort(picked) // neighbours differ in little
	var cells []cell
	for _, i := range picked {
		cells = append(cells, all[i])
	}
	return cells
}

func TestSampleHasEveryPair(t *testing.T) {
	for name, m := range map[string][]dimension{"TCP": tcpMatrix, "UDP": udpMatrix} {
		sample, all := sampleOf(m), product(m)
		t.Logf("%s: %d cells of %d", name, len(sample), len(all))
		seen := make(map[pair]bool)
		for _, c := range sample {
			for _, p := range c.pairs() {
				seen[p] = true
			}
		}
		for _, c := range all {
			for _, p := range c.pairs() {
				if !seen[p] {
					t.Errorf("%s: no cell of the sample has %q and %q", name, p[0], p[1])
				}
				seen[p] = true // said once
			}
		}
		if len(sample) > len(all)/10 {
			t.Errorf("%s: the sample has %d cells of %d, want a tenth at most", name, len(sample), len(all))
		}
	}
}
