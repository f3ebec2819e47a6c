// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mbchain/policyd/internal/store"
)

// running is a node that leads, or follows, for the length of a test.
type running struct {
	*Node
	stop func() error
	done chan error // what Run returned; who takes it puts it back
}

// run runs n until the test ends.
func run(t *testing.T, n *Node, o office) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{Node: n, done: make(chan error, 1)}
	go func() { r.done <- n.Run(ctx, o) }()
	r.stop = func() error {
		r.stop = func() error { return nil }
		cancel()
		return errors.Join(<-r.done, n.Close())
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return r
}

// start opens dir and waits until the node leads.
func start(t *testing.T, dir string) *running {
	t.Helper()
	n, err := Open(t.Context(), Config{ID: "p1", Dir: dir, Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	leads := make(office, 1)
	r := run(t, n, leads)
	select {
	case <-leads:
	case err := <-r.done:
		r.done <- nil
		t.Fatalf("run: %v", err)
	}
	return r
}

// office tells when its node leads.
type office chan *store.State

func (o office) Lead(s *store.State) {
	select {
	case o <- s:
	default: // nobody waits any more
	}
}

func (o office) Follow() {}

func testLogger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func (r *running) apply(t *testing.T, cmd store.Command) store.Result {
	t.Helper()
	result, err := r.Apply(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (r *running) state(t *testing.T) *store.State {
	t.Helper()
	s, err := r.State()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func policy(source string) store.Command {
	return store.Command{SetPolicy: &store.SetPolicy{Source: source, AppliedUnixMS: 1}}
}

// fill applies n policies.
func fill(t *testing.T, r *running, n int) {
	t.Helper()
	for i := range n {
		r.apply(t, policy(fmt.Sprintf("# %d\n%s", i, strings.Repeat("match(any) >> {}\n", 200))))
	}
}

func diff(want, got *store.State) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}))
}

func TestNodeKeepsItsStateAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	first := r.state(t)
	if !first.IsSetUp() || len(first.Seed) != store.SecretLen || bytes.Equal(first.Seed, first.Keys[0].Secret) {
		t.Fatalf("first state: %+v", first)
	}
	want := r.apply(t, policy("a")).State
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	r = start(t, dir)
	if d := diff(want, r.state(t)); d != "" {
		t.Errorf("state after restart (-want +got):\n%s", d)
	}
	if again := r.apply(t, policy("a")); again.Changed {
		t.Error("the policy was applied twice")
	}
}

func TestNodeGoesOnFromASnapshot(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	fill(t, r, trailingEntries+20)
	if err := r.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	want := r.apply(t, policy("last")).State
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir)
	if d := diff(want, r.state(t)); d != "" {
		t.Errorf("state after restart (-want +got):\n%s", d)
	}
	if s := r.Status(); s.State != "leader" || s.AppliedIndex < want.Index {
		t.Errorf("status %+v, want leader at %d or later", s, want.Index)
	}
}

func TestNodeListensForVoters(t *testing.T) {
	n, err := Open(t.Context(), Config{ID: "p1", Dir: t.TempDir(), Listen: "127.0.0.1:0", Network: plainTCP{}, Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	if a := n.transport.LocalAddr(); !strings.HasPrefix(string(a), "127.0.0.1:") {
		t.Errorf("listens on %q", a)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Config{ID: "p1", Dir: t.TempDir(), Listen: "0.0.0.0:7401", Network: plainTCP{}, Logger: testLogger(t)})
	if err == nil || !strings.Contains(err.Error(), "reaches") {
		t.Errorf("0.0.0.0: error %v", err)
	}
}

func TestNodeRefusesADirectoryInUse(t *testing.T) {
	r := start(t, t.TempDir())
	_, err := Open(t.Context(), Config{ID: "p1", Dir: r.disk.dir, Logger: testLogger(t)})
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("error %v, want %v", err, ErrLocked)
	}
	for _, want := range []string{r.disk.dir, fmt.Sprintf("process %d", os.Getpid()), "--data"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q: %v", want, err)
		}
	}
}

func TestNodeRefusesAnotherNodesDirectory(t *testing.T) {
	r := start(t, t.TempDir())
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{ID: "p2", Dir: r.disk.dir, Logger: testLogger(t)})
	if err == nil || !strings.Contains(err.Error(), `belongs to policyd "p1"`) {
		t.Errorf("error %v", err)
	}
	start(t, r.disk.dir) // the refusal left it as it was
}

func TestNodeAnswersOnlyWhenItLeads(t *testing.T) {
	n, err := Open(t.Context(), Config{ID: "p1", Dir: t.TempDir(), Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.State(); !errors.Is(err, ErrNotReady) {
		t.Errorf("state: error %v, want %v", err, ErrNotReady)
	}
	if _, err := n.Apply(t.Context(), policy("a")); !errors.Is(err, ErrNotReady) {
		t.Errorf("apply: error %v, want %v", err, ErrNotReady)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Apply(t.Context(), policy("a")); !errors.Is(err, ErrNotReady) {
		t.Errorf("apply after close: error %v, want %v", err, ErrNotReady)
	}
}

func TestApplyReturnsWhatTheStateMachineSays(t *testing.T) {
	r := start(t, t.TempDir())
	version := uint64(7)
	_, err := r.Apply(t.Context(), store.Command{SetPolicy: &store.SetPolicy{Source: "a", IfVersion: &version}})
	if !errors.Is(err, store.ErrVersion) {
		t.Errorf("error %v, want %v", err, store.ErrVersion)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Apply(cancelled, policy("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if s := r.state(t); s.Policy.Version != 0 {
		t.Errorf("version %d runs", s.Policy.Version)
	}
}
