// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

// In a document, what stands between these lines of a table is the report's.
const (
	begin = "<!-- bench:begin -->"
	end   = "<!-- bench:end -->"
)

// figure is a row summed up.
type figure struct {
	Name         string    `json:"name"`
	Table        string    `json:"table"`
	Title        string    `json:"title"`
	Instructions float64   `json:"instructions"` // a packet: median
	Low          float64   `json:"low"`
	High         float64   `json:"high"`
	Module       bool      `json:"module"` // mbchain was loaded
	ComparedTo   string    `json:"compared_to"`
	Ratio        float64   `json:"ratio"`
	Target       float64   `json:"target,omitempty"` // for the ratio, at most
	Samples      []float64 `json:"samples"`
}

// report sums up the results of guests that measured the same rows, prints
// that, and writes it to where it is wanted.
func report(in []string, out, doc, plot string) error {
	figures, err := sumUp(in)
	if err != nil {
		return err
	}
	text := markdown(figures)
	fmt.Print(text)
	if out != "" {
		if err := writeJSON(out, figures); err != nil {
			return err
		}
	}
	if plot != "" {
		if err := os.WriteFile(plot, []byte(svg(figures)), 0o644); err != nil {
			return err
		}
	}
	if doc != "" {
		return insert(doc, text)
	}
	return nil
}

func sumUp(in []string) ([]figure, error) {
	samples := map[string][]float64{}
	for _, name := range in {
		results, err := readResults(name)
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			samples[r.Name] = append(samples[r.Name], r.Samples...)
		}
	}
	var figures []figure
	for _, r := range allRows() {
		s, base := samples[r.name], samples[r.base]
		if len(s) == 0 {
			continue
		}
		if len(base) == 0 {
			return nil, fmt.Errorf("sum up %s: there is no row %s to compare it to", r.name, r.base)
		}
		figures = append(figures, figure{
			Name: r.name, Table: r.table, Title: r.title, Module: r.module, Target: r.target,
			Instructions: median(s), Low: slices.Min(s), High: slices.Max(s),
			ComparedTo: r.base, Ratio: median(s) / median(base), Samples: s,
		})
	}
	return figures, nil
}

// emphasized is the title of a figure; what is ours stands out.
func (f *figure) emphasized() string {
	if f.Module {
		return "**" + f.Title + "**"
	}
	return f.Title
}

// judged is the target of a figure, and whether it misses it.
func (f *figure) judged() string {
	switch {
	case f.Target == 0:
		return ""
	case f.Ratio <= f.Target:
		return fmt.Sprintf("%.2f", f.Target)
	default:
		return fmt.Sprintf("missed: %.2f", f.Target)
	}
}

// markdown is one table for each kind of figure.
func markdown(figures []figure) string {
	var b strings.Builder
	for _, t := range tables {
		in := slices.DeleteFunc(slices.Clone(figures), func(f figure) bool { return f.Table != t.name })
		if len(in) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| | row | instructions | spread | ratio | target |\n|---|---|---:|---:|---:|---:|\n", t.title, t.what)
		for _, f := range in {
			fmt.Fprintf(&b, "| %s | `%s` | %s | %.1f %% | %.2f | %s |\n", f.emphasized(), f.Name,
				thousands(f.Instructions), 100*(f.High-f.Low)/f.Instructions, f.Ratio, f.judged())
		}
	}
	return strings.TrimPrefix(b.String(), "\n")
}

func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// insert puts text between the marks of a document.
func insert(doc, text string) error {
	old, err := os.ReadFile(doc)
	if err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	before, rest, ok := bytes.Cut(old, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return fmt.Errorf("update %s: it lacks the lines %s and %s", doc, begin, end)
	}
	return os.WriteFile(doc, []byte(string(before)+begin+"\n"+text+end+string(after)), 0o644)
}
