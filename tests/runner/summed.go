// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// runSummed runs a command whose last line is "N passed, N failed". What it says
// before that is shown too, at once.
func (r *runner) runSummed(ctx context.Context, command string) {
	var output tail
	start := time.Now()
	both := io.MultiWriter(&output, &said{to: r.out})
	err := r.command(ctx, command, both, both)
	nPassed, nFailed, ok := readSum(output.lines())
	switch {
	case !ok:
		output = tail{whole: append(output.lines(), `it did not end with "N passed, N failed"`)}
		nFailed = 1
	case err != nil && nFailed == 0:
		output = tail{whole: append(output.lines(), err.Error())}
		nFailed = 1
	}
	if nPassed > 0 {
		r.add(result{name: "checks", outcome: passed, count: nPassed})
		fmt.Fprintf(r.out, "   ok    %d checks %s\n", nPassed, short(time.Since(start)))
	}
	if nFailed > 0 {
		r.add(result{name: "checks", outcome: failed, count: nFailed, output: output.lines(), rerun: command})
	}
}

// said shows lines when the next one begins: the last one is the sum.
type said struct {
	to   io.Writer
	text string
}

func (s *said) Write(p []byte) (int, error) {
	s.text += string(p)
	for {
		line, rest, more := strings.Cut(s.text, "\n")
		if !more || rest == "" {
			return len(p), nil
		}
		fmt.Fprintf(s.to, "         | %s\n", line)
		s.text = rest
	}
}

// readSum reads the last line of a summed command.
func readSum(lines []string) (nPassed, nFailed int, ok bool) {
	if len(lines) == 0 {
		return 0, 0, false
	}
	got := regexp.MustCompile(`^(\d+) passed, (\d+) failed$`).FindStringSubmatch(lines[len(lines)-1])
	if got == nil {
		return 0, 0, false
	}
	nPassed, errPassed := strconv.Atoi(got[1])
	nFailed, errFailed := strconv.Atoi(got[2])
	return nPassed, nFailed, errPassed == nil && errFailed == nil
}
