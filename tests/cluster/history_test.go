// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/anishathalye/porcupine"
)

// input is what a client asked for.
type input struct {
	source    string  // empty: to read
	ifVersion *uint64 // to apply if this one runs
}

// output is what it was told.
type output struct {
	version uint64
	source  string // of a read
	refused bool   // another version runs than the one that it named
	unknown bool   // it was told nothing
}

// register is the policy, as clients see it.
type register struct {
	version uint64
	source  string
}

// model is a policy that every change replaces, with a version that rises by
// one.
var model = porcupine.Model{
	Init: func() any { return register{} },
	Step: func(state, in, out any) (bool, any) {
		s, i, o := state.(register), in.(input), out.(output)
		if i.source == "" {
			return o.unknown || o.version == s.version && o.source == s.source, s
		}
		matches := i.ifVersion == nil || *i.ifVersion == s.version
		next := register{s.version + 1, i.source}
		switch {
		case o.refused:
			return !matches, s
		case o.unknown && !matches:
			return true, s
		case o.unknown:
			return true, next // or it comes after all that anybody saw
		}
		return matches && o.version == next.version, next
	},
	Equal: func(a, b any) bool { return a == b },
}

// A checker that finds nothing wrong with anything would pass, too.
func TestModelFindsWhatIsWrong(t *testing.T) {
	one, other := uint64(1), uint64(2)
	op := func(call, back int64, in input, out output) porcupine.Operation {
		return porcupine.Operation{Input: in, Call: call, Output: out, Return: back}
	}
	applied := op(0, 10, input{source: "a"}, output{version: 1})
	tests := []struct {
		name string
		list []porcupine.Operation
		want porcupine.CheckResult
	}{
		{"in order", []porcupine.Operation{applied, op(20, 30, input{}, output{version: 1, source: "a"})}, porcupine.Ok},
		{"lost change", []porcupine.Operation{applied, op(20, 30, input{}, output{})}, porcupine.Illegal},
		{"applied twice", []porcupine.Operation{applied, op(20, 30, input{}, output{version: 2, source: "a"})}, porcupine.Illegal},
		{"refused rightly", []porcupine.Operation{applied, op(20, 30, input{source: "b", ifVersion: &other}, output{refused: true})}, porcupine.Ok},
		{"refused wrongly", []porcupine.Operation{applied, op(20, 30, input{source: "b", ifVersion: &one}, output{refused: true})}, porcupine.Illegal},
		{"unknown and done", []porcupine.Operation{applied, op(12, math.MaxInt64, input{source: "b"}, output{unknown: true}),
			op(20, 30, input{}, output{version: 2, source: "b"})}, porcupine.Ok},
		{"unknown and not done", []porcupine.Operation{applied, op(12, math.MaxInt64, input{source: "b"}, output{unknown: true}),
			op(20, 30, input{}, output{version: 1, source: "a"})}, porcupine.Ok},
	}
	for _, tt := range tests {
		if got := porcupine.CheckOperationsTimeout(model, tt.list, time.Minute); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// history is what clients saw. Its methods may be called concurrently.
type history struct {
	began time.Time

	mu      sync.Mutex
	list    []porcupine.Operation
	acked   map[uint64]string // source by version
	twice   []string          // what went wrong already
	lastAck time.Time
	gap     time.Duration // the longest without an acknowledged change
}

func newHistory() *history {
	return &history{began: time.Now(), acked: map[uint64]string{}, lastAck: time.Now()}
}

// apply has c apply a policy and notes what came of it.
func (h *history) apply(ctx context.Context, id int, c *client, source string, ifVersion *uint64) (version uint64) {
	call := time.Since(h.began)
	version, err := c.apply(ctx, source, ifVersion)
	out := output{version: version, refused: connect.CodeOf(err) == connect.CodeAborted}
	out.unknown = err != nil && !out.refused
	h.note(id, call, input{source, ifVersion}, out)
	return version
}

// read has c read the policy and notes what it saw.
func (h *history) read(ctx context.Context, id int, c *client) (version uint64) {
	call := time.Since(h.began)
	version, source, err := c.get(ctx)
	h.note(id, call, input{}, output{version: version, source: source, unknown: err != nil})
	return version
}

func (h *history) note(id int, call time.Duration, in input, out output) {
	h.mu.Lock()
	defer h.mu.Unlock()
	back := time.Since(h.began).Nanoseconds()
	if out.unknown {
		back = math.MaxInt64 // it may take effect at any time yet
	}
	h.list = append(h.list, porcupine.Operation{ClientId: id, Input: in, Call: call.Nanoseconds(), Output: out, Return: back})
	if in.source == "" || out.refused || out.unknown {
		return
	}
	if other, known := h.acked[out.version]; known {
		h.twice = append(h.twice, fmt.Sprintf("version %d was acknowledged for %q and for %q", out.version, other, in.source))
	}
	h.acked[out.version] = in.source
	h.gap = max(h.gap, time.Since(h.lastAck))
	h.lastAck = time.Now()
}

// check says what is wrong with the history, and what it amounts to. The policy
// in the end is of version last.
func (h *history) check(t *testing.T, last uint64) {
	t.Helper()
	unknown, refused, reads := 0, 0, 0
	for _, op := range h.list {
		in, out := op.Input.(input), op.Output.(output)
		switch {
		case in.source == "":
			reads++
		case out.unknown:
			unknown++
		case out.refused:
			refused++
		}
	}
	for _, text := range h.twice {
		t.Error(text)
	}
	if most := uint64(len(h.acked) + unknown); last > most || last < uint64(len(h.acked)) {
		t.Errorf("version %d runs in the end: %d changes were acknowledged, %d have an unknown outcome", last, len(h.acked), unknown)
	}
	if result := porcupine.CheckOperationsTimeout(model, h.list, 2*time.Minute); result != porcupine.Ok {
		t.Errorf("the history of %d operations is not linearizable: %s", len(h.list), result)
	}
	t.Logf("%d changes acknowledged, %d refused by their version, %d unknown, %d reads; at most %v without a change",
		len(h.acked), refused, unknown, reads, h.gap.Round(time.Millisecond))
}
