// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
)

const (
	// every is the time between the ends of one run and the beginning of the next.
	every = time.Second
	// Limit is how long the program may take. Two runs that take too long, and what
	// comes after them, stay within the 3 s in which new sessions turn away.
	Limit = 600 * time.Millisecond
	// killTime is how long what it has left behind may hold its output open.
	killTime = 100 * time.Millisecond
	// MaxWhy is how much of its output is told, in bytes.
	MaxWhy = 160
)

// Result is what the last probe has found.
type Result struct {
	Done   bool // there was one
	Failed bool
	Why    string // one line, if it has failed
}

// Prober probes.
type Prober struct {
	run     func(context.Context) (why string, ok bool)
	changed func() // called when Result has become another one

	mu     sync.Mutex
	result Result
}

// New returns a prober that runs the program at a path. changed is called when a probe
// has found something else than the one before.
func New(path string, changed func()) *Prober {
	return &Prober{run: func(ctx context.Context) (string, bool) { return program(ctx, path) }, changed: changed}
}

// Result returns what the last probe has found.
func (p *Prober) Result() Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.result
}

// Run probes until ctx is done.
func (p *Prober) Run(ctx context.Context) {
	for {
		why, ok := p.run(ctx)
		if !ok && ctx.Err() == nil {
			why, ok = p.run(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		p.note(Result{Done: true, Failed: !ok, Why: why})
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

func (p *Prober) note(r Result) {
	p.mu.Lock()
	before := p.result
	p.result = r
	p.mu.Unlock()
	if before.Done != r.Done || before.Failed != r.Failed {
		p.changed()
	}
}

// program runs one, and says why it has failed.
func program(ctx context.Context, path string) (why string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	out := &head{}
	cmd := exec.CommandContext(ctx, path)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // its children, too
	cmd.WaitDelay = killTime
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("it took longer than %v", Limit), false
	case err == nil:
		return "", true
	}
	if line := out.line(); line != "" {
		return line, false
	}
	return err.Error(), false
}

// head keeps the beginning of what is written to it.
type head struct{ text []byte }

func (h *head) Write(b []byte) (int, error) {
	h.text = append(h.text, b[:min(len(b), MaxWhy-len(h.text))]...)
	return len(b), nil
}

// line returns the first line as far as it can be shown.
func (h *head) line() string {
	first, _, _ := strings.Cut(strings.TrimSpace(string(h.text)), "\n")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, first)
}
