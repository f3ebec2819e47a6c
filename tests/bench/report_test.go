// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is the figures of two guests that measured two rows.
func sample(t *testing.T) []figure {
	t.Helper()
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "1"), filepath.Join(dir, "2"), filepath.Join(dir, "3")}
	for i, file := range files {
		n := float64(i)
		err := writeJSON(file, []result{{"plain", 100, []float64{1000 + n}}, {"inline", 100, []float64{1500 - 10*n}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	figures, err := sumUp(files)
	if err != nil {
		t.Fatal(err)
	}
	return figures
}

func TestTheMedianOfAllGuestsCounts(t *testing.T) {
	got := markdown(sample(t))
	want := "| plain forwarding | `plain` | 1,001 | 0.2 % | 1.00 |  |\n" +
		"| **mbchain, inline NF** | `inline` | 1,490 | 1.3 % | 1.49 | missed: 1.15 |\n"
	_, rows, _ := strings.Cut(got, "---:|\n")
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestThePlotIsXML(t *testing.T) {
	d := xml.NewDecoder(strings.NewReader(svg(sample(t))))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
