// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// endGrace is how long a command has to end, and to take down what it started,
// once it is told to.
const endGrace = 10 * time.Second

// A runner runs tiers and keeps their results. It is not safe for concurrent
// use.
type runner struct {
	top     string // directory of the checkout, in which all commands run
	out     io.Writer
	pattern string        // of the tests to run in guests; "": all
	limit   time.Duration // of a guest

	compiled *compiled // what runs in guests

	tier    string
	log     io.Writer // of the tier
	results []result
	times   []tierTime
}

// compiled says whether something was compiled, for several tiers.
type compiled struct {
	once sync.Once
	ok   bool
}

// A result is the outcome of one test, or of count tests that passed.
type result struct {
	tier, name string
	outcome    outcome
	count      int      // of the tests that it stands for
	output     []string // of a failure, its last lines
	rerun      string   // command that runs it alone
}

type outcome int

const (
	passed outcome = iota
	failed
	skipped
)

type tierTime struct {
	tier string
	took time.Duration
}

func newRunner(top string, out io.Writer) (*runner, error) {
	if err := os.MkdirAll(filepath.Join(top, "build/test"), 0o755); err != nil {
		return nil, fmt.Errorf("make directory of logs: %w", err)
	}
	return &runner{top: top, out: out, log: io.Discard, compiled: new(compiled)}, nil
}

// runTiers runs tiers in order, up to one that fails and that the rest needs.
func (r *runner) runTiers(ctx context.Context, tiers []tier) {
	for len(tiers) > 0 {
		t := tiers[0]
		if ctx.Err() != nil {
			r.add(result{tier: t.name, name: "run", outcome: failed, output: []string{"interrupted"}})
			return
		}
		n := 1
		for t.beside && n < len(tiers) && tiers[n].beside {
			n++
		}
		before := r.count(failed)
		if n == 1 {
			r.runTier(ctx, t)
		} else {
			r.runBeside(ctx, tiers[:n])
		}
		if t.needed && r.count(failed) > before {
			return
		}
		tiers = tiers[n:]
	}
}

// runBeside runs tiers at the same time. Each line that one shows bears its name.
func (r *runner) runBeside(ctx context.Context, tiers []tier) {
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		each []*runner
	)
	for _, t := range tiers {
		one := *r
		one.results, one.times = nil, nil
		one.out = &labelled{to: r.out, mu: &mu, label: fmt.Sprintf("%-8s", t.name)}
		each = append(each, &one)
		wg.Go(func() { one.runTier(ctx, t) })
	}
	wg.Wait()
	for _, one := range each {
		r.results = append(r.results, one.results...)
		for _, t := range one.times {
			r.spend(t.tier, t.took)
		}
	}
}

// labelled writes whole lines, each behind a label.
type labelled struct {
	to    io.Writer
	mu    *sync.Mutex // of to
	label string
	text  string
}

func (l *labelled) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += string(p)
	for {
		line, rest, whole := strings.Cut(l.text, "\n")
		if !whole {
			return len(p), nil
		}
		fmt.Fprintf(l.to, "%s %s\n", l.label, line)
		l.text = rest
	}
}

func (r *runner) runTier(ctx context.Context, t tier) {
	fmt.Fprintf(r.out, "== %s: %s\n", t.name, t.about)
	r.tier = t.name
	start := time.Now()
	defer func() { r.spend(t.name, time.Since(start)) }()
	log, err := os.Create(filepath.Join(r.top, "build/test", t.name+".log"))
	if err != nil {
		r.add(result{name: "log", outcome: failed, output: []string{err.Error()}})
		return
	}
	defer log.Close()
	r.log = log
	t.run(ctx, r)
}

// spend adds to the time that a tier has taken, in all rounds.
func (r *runner) spend(tier string, took time.Duration) {
	for i := range r.times {
		if r.times[i].tier == tier {
			r.times[i].took += took
			return
		}
	}
	r.times = append(r.times, tierTime{tier, took})
}

// add keeps a result of the running tier and shows it.
func (r *runner) add(res result) {
	if res.tier == "" {
		res.tier = r.tier
	}
	if res.count == 0 {
		res.count = 1
	}
	r.results = append(r.results, res)
	if res.outcome == failed {
		r.showFailure(res)
	}
}

// runSteps runs steps and says whether all passed.
func (r *runner) runSteps(ctx context.Context, steps []step) bool {
	ok := true
	for _, s := range steps {
		var output, findings tail
		stdout := &output
		if s.silent {
			stdout = &findings
		}
		start := time.Now()
		err := r.command(ctx, s.command, stdout, &output)
		if err == nil && len(findings.lines()) > 0 {
			err = fmt.Errorf("run %s: it has something to say", s.name)
		}
		if err != nil {
			ok = false
			r.add(result{name: s.name, outcome: failed, output: append(findings.lines(), output.lines()...), rerun: s.command})
			continue
		}
		r.add(result{name: s.name, outcome: passed})
		fmt.Fprintf(r.out, "   ok    %s %s\n", s.name, short(time.Since(start)))
	}
	return ok
}

// command runs a command of bash in the checkout, with its output also in the
// tier's log. When the context ends, so does the command and its children.
func (r *runner) command(ctx context.Context, command string, stdout, stderr io.Writer) error {
	fmt.Fprintf(r.log, "$ %s\n", command)
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", command)
	cmd.Dir = r.top
	cmd.Stdout = io.MultiWriter(r.log, stdout)
	cmd.Stderr = io.MultiWriter(r.log, stderr)
	if stdout == stderr {
		cmd.Stderr = cmd.Stdout // os/exec then writes from one goroutine
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = endGrace
	return cmd.Run()
}

// tailLines is what of a failure's output is shown; the log has all.
const tailLines = 40

// A tail keeps the last lines written to it.
type tail struct {
	whole   []string
	partial string
}

func (t *tail) Write(p []byte) (int, error) {
	parts := strings.Split(t.partial+string(p), "\n")
	t.partial = parts[len(parts)-1]
	t.whole = append(t.whole, parts[:len(parts)-1]...)
	if len(t.whole) > tailLines {
		t.whole = append([]string(nil), t.whole[len(t.whole)-tailLines:]...)
	}
	return len(p), nil
}

func (t *tail) lines() []string {
	if t.partial == "" {
		return t.whole
	}
	return append(append([]string(nil), t.whole...), t.partial)
}
