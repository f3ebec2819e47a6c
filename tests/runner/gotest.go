// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// goTests is a command that prints what go test -json does.
type goTests struct {
	command string
	// rerun returns the command for one test of a package; of all of it if test
	// is "".
	rerun func(pkg, test string) string
	// each shows every test when it ends, rather than every package.
	each bool
	// skipIsError is set where everything that a test may need must exist.
	skipIsError bool
}

// An event is a line of go test -json, see "go doc test2json".
type event struct {
	Action      string
	Package     string
	ImportPath  string // instead of Package in what the compiler says
	Test        string
	Output      string
	Elapsed     float64 // seconds
	FailedBuild string
}

// maxEvent bounds a line: the output of a test is one event for each line of it.
const maxEvent = 16 << 20

// runGoTests runs tests and returns how their command ended.
func (r *runner) runGoTests(ctx context.Context, g goTests) error {
	var stderr tail
	read, write := io.Pipe()
	done := make(chan *goReport)
	go func() {
		report := newGoReport(r, g)
		report.read(read)
		done <- report
	}()
	err := r.command(ctx, g.command, write, &stderr)
	write.Close()
	report := <-done
	report.finish(err, stderr.lines())
	return err
}

// A goReport turns events into results.
type goReport struct {
	r       *runner
	g       goTests
	output  map[testKey]*tail // of what runs, subtests apart
	running []testKey         // top-level tests that have not ended, by start
	counts  map[string]int    // tests that passed, of packages that have not ended
	build   map[string]*tail  // what the compiler says of a package
	failed  map[string]bool   // packages with a test that failed
	total   int
	parts   int       // subtests of what runs that have ended
	spoke   time.Time // when something was shown last
}

// A testKey is a test; a package as a whole if test is "".
type testKey struct{ pkg, test string }

func newGoReport(r *runner, g goTests) *goReport {
	return &goReport{
		r: r, g: g,
		output: map[testKey]*tail{},
		counts: map[string]int{},
		build:  map[string]*tail{},
		failed: map[string]bool{},
		spoke:  time.Now(),
	}
}

func (g *goReport) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // not go test's, but of something around it; it is in the log
		}
		g.step(e)
	}
	// Whoever writes must not wait for a reader that gave up.
	_, _ = io.Copy(io.Discard, from)
}

func (g *goReport) step(e event) {
	top, _, sub := strings.Cut(e.Test, "/")
	key := testKey{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		write(g.build, e.ImportPath, e.Output)
	case "output":
		write(g.output, key, e.Output)
	case "run":
		if !sub {
			g.running = append(g.running, key)
			g.parts, g.spoke = 0, time.Now()
		}
	case "pass", "fail", "skip":
		switch {
		case sub:
			if e.Action == "fail" {
				g.hand(key, testKey{e.Package, top})
			}
			delete(g.output, key)
			g.endPart(top)
		case e.Test == "":
			g.endPackage(e)
		default:
			g.endTest(key, e)
		}
	}
}

// silence is how long a test with many parts may go on without a word.
const silence = time.Minute

// endPart says from time to time how far a test is that takes long.
func (g *goReport) endPart(test string) {
	g.parts++
	if g.g.each && time.Since(g.spoke) > silence {
		g.spoke = time.Now()
		fmt.Fprintf(g.r.out, "   ...   %s, %d parts so far\n", test, g.parts)
	}
}

// hand adds the output of a subtest to that of the test it belongs to. That of
// subtests that passed is of no interest.
func (g *goReport) hand(sub, top testKey) {
	if output := g.output[sub]; output != nil {
		write(g.output, top, strings.Join(output.lines(), "\n")+"\n")
	}
}

func write[K comparable](to map[K]*tail, key K, text string) {
	if to[key] == nil {
		to[key] = &tail{}
	}
	_, _ = to[key].Write([]byte(text))
}

func (g *goReport) endTest(key testKey, e event) {
	g.running = remove(g.running, key)
	g.total++
	took := time.Duration(e.Elapsed * float64(time.Second))
	switch {
	case e.Action == "pass":
		g.counts[key.pkg]++
		g.r.add(result{name: key.test, outcome: passed})
		if g.g.each {
			fmt.Fprintf(g.r.out, "   ok    %s %s\n", key.test, short(took))
		}
	case e.Action == "skip" && !g.g.skipIsError:
		g.r.add(result{name: key.test, outcome: skipped})
	default:
		g.fail(key)
	}
	delete(g.output, key)
}

func (g *goReport) endPackage(e event) {
	key := testKey{pkg: e.Package}
	if e.Action == "fail" && !g.failed[e.Package] && len(g.running) == 0 {
		// It does not compile, or ended outside of a test.
		if said := g.build[e.FailedBuild]; said != nil {
			g.output[key] = said
		}
		g.fail(key)
	}
	if n := g.counts[e.Package]; n > 0 && !g.g.each && e.Action == "pass" {
		fmt.Fprintf(g.r.out, "   ok    %s, %d tests %s\n", e.Package, n,
			short(time.Duration(e.Elapsed*float64(time.Second))))
	}
	delete(g.output, key)
}

func (g *goReport) fail(key testKey) {
	g.failed[key.pkg] = true
	var lines []string
	if output := g.output[key]; output != nil {
		lines = output.lines()
	}
	g.r.add(result{
		name:    cmp.Or(key.test, key.pkg),
		outcome: failed,
		output:  lines,
		rerun:   g.g.rerun(key.pkg, key.test),
	})
}

// finish accounts for tests that never ended and for a command that failed for
// another reason than a test, for which it ends with 1.
func (g *goReport) finish(err error, stderr []string) {
	for _, key := range g.running {
		for sub := range g.output {
			if sub.pkg == key.pkg && strings.HasPrefix(sub.test, key.test+"/") {
				g.hand(sub, key)
			}
		}
		write(g.output, key, "it did not end\n")
		g.fail(key)
	}
	switch {
	case err != nil && !(len(g.failed) > 0 && exitStatus(err) == 1):
		g.r.add(result{name: "run", outcome: failed, rerun: g.g.command,
			output: append([]string{err.Error()}, stderr...)})
	case g.total == 0 && len(g.failed) == 0:
		g.r.add(result{name: "run", outcome: failed, rerun: g.g.command,
			output: []string{"no test ran"}})
	}
}

// exitStatus returns the status that a command ended with, -1 if by a signal.
func exitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

func remove(keys []testKey, key testKey) []testKey {
	var kept []testKey
	for _, k := range keys {
		if k != key {
			kept = append(kept, k)
		}
	}
	return kept
}
