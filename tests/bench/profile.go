// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// costs are instructions a packet, by function.
type costs map[string]float64

// total is the cost of everything.
func (c costs) total() float64 {
	var sum float64
	for _, n := range c {
		sum += n
	}
	return sum
}

// readCounts reads the sections that the plugin wrote, one for each time that
// a blast ran.
func readCounts(r io.Reader, s symbols) ([]costs, error) {
	var sections []costs
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var user float64
		if _, err := fmt.Sscanf(lines.Text(), "stop %f", &user); err == nil {
			sections = append(sections, costs{"(user space)": user})
			continue
		}
		var addr, insns, times uint64
		if _, err := fmt.Sscanf(lines.Text(), "%x %d %d", &addr, &insns, &times); err != nil {
			return nil, fmt.Errorf("read counts %q: %w", lines.Text(), err)
		}
		if len(sections) == 0 {
			return nil, fmt.Errorf("read counts: %q stands before any section", lines.Text())
		}
		sections[len(sections)-1][s.function(addr)] += float64(insns * times)
	}
	return sections, lines.Err()
}

// minus is what c costs more than sending alone, a packet.
func (c costs) minus(sending costs, packets float64) costs {
	d := maps.Clone(c)
	for f, n := range sending {
		d[f] -= n
	}
	for f, n := range d {
		d[f] = n / packets
	}
	return d
}

// profile prints, for each row that is compared to another, which functions a
// packet spends its instructions in, beside that one. Each row was measured in
// one window.
func profile(in, countFile, symbolFile string) error {
	results, err := readResults(in)
	if err != nil {
		return err
	}
	sections, err := readProfile(countFile, symbolFile)
	if err != nil {
		return err
	}
	if len(sections) != 2*len(results) {
		return fmt.Errorf("read counts: %d sections for %d rows", len(sections), len(results))
	}
	cost := map[string]costs{}
	for i, r := range results {
		cost[r.Name] = sections[2*i].minus(sections[2*i+1], float64(r.Packets))
	}
	for _, r := range allRows() {
		switch {
		case cost[r.name] == nil:
		case r.base == r.name:
			printOne(os.Stdout, r.title, cost[r.name])
		default:
			printTwo(os.Stdout, r.title, cost[r.name], r.base, maps.Clone(cost[r.base]))
		}
	}
	return nil
}

func readProfile(countFile, symbolFile string) ([]costs, error) {
	f, err := os.Open(symbolFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := readSymbols(f)
	if err != nil {
		return nil, err
	}
	c, err := os.Open(countFile)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return readCounts(c, s)
}

const least = 5 // instructions a packet that are worth a line

// fold adds up what costs less than that in all of cs.
func fold(cs ...costs) {
	small := costs{}
	for _, c := range cs {
		maps.Copy(small, c)
	}
	for f := range small {
		if slices.ContainsFunc(cs, func(c costs) bool { return c[f] >= least }) {
			continue
		}
		for _, c := range cs {
			c["(all that cost less)"] += c[f]
			delete(c, f)
		}
	}
}

func printOne(w io.Writer, name string, c costs) {
	fmt.Fprintf(w, "\n%s\n%8s %6s  function\n", name, "insns", "share")
	fold(c)
	total := c.total()
	for _, f := range sorted(c, func(f string) float64 { return c[f] }) {
		fmt.Fprintf(w, "%8.1f %5.1f%%  %s\n", c[f], 100*c[f]/total, f)
	}
	fmt.Fprintf(w, "%8.1f 100.0%%  all\n", total)
}

func printTwo(w io.Writer, name string, c costs, against string, base costs) {
	fmt.Fprintf(w, "\n%s, against the row %s (*: ours)\n%8s %6s %8s %8s  function\n",
		name, against, "insns", "share", "against", "more")
	fold(c, base)
	total, all := c.total(), maps.Clone(c)
	maps.Copy(all, base)
	for _, f := range sorted(all, func(f string) float64 { return c[f] - base[f] }) {
		fmt.Fprintf(w, "%8.1f %5.1f%% %8.1f %+8.1f  %s\n",
			c[f], 100*c[f]/total, base[f], c[f]-base[f], f)
	}
	fmt.Fprintf(w, "%8.1f 100.0%% %8.1f %+8.1f  all\n", total, base.total(), total-base.total())
}

// sorted is the functions in c, highest key first.
func sorted(c costs, key func(string) float64) []string {
	return slices.SortedFunc(maps.Keys(c), func(a, b string) int {
		return cmp.Or(cmp.Compare(key(b), key(a)), cmp.Compare(a, b))
	})
}
