// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"sync"
)

// gate lets a number of bytes pass, and the others once it is open. It holds
// a transfer back before its end, whatever the speed of the machine.
type gate struct {
	passed int64 // before it opens
	wait   chan struct{}
	open   func()

	mu    sync.Mutex
	moved int64
}

func newGate(n int64) *gate {
	wait := make(chan struct{})
	return &gate{passed: n, wait: wait, open: sync.OnceFunc(func() { close(wait) })}
}

// count waits if n more bytes are too many.
func (g *gate) count(n int) {
	g.mu.Lock()
	g.moved += int64(n)
	full := g.moved > g.passed
	g.mu.Unlock()
	if full {
		<-g.wait
	}
}

// progress is how many bytes have come to the gate.
func (g *gate) progress() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.moved
}

// writer passes what is written through the gate.
func (g *gate) writer(w io.Writer) io.Writer { return gated{g, w, nil} }

// reader passes what is read through the gate.
func (g *gate) reader(r io.Reader) io.Reader { return gated{g, nil, r} }

type gated struct {
	*gate
	w io.Writer
	r io.Reader
}

func (g gated) Write(b []byte) (int, error) {
	g.count(len(b))
	return g.w.Write(b)
}

func (g gated) Read(b []byte) (int, error) {
	n, err := g.r.Read(b)
	g.count(n)
	return n, err
}
