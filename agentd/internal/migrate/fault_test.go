// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"errors"
	"slices"
	"testing"
	"time"

	"mbchain/agentd/internal/lock"
)

// The faults of the paper's Algorithm 1; that of the rejected requester is in
// package lock.

// An inserted node does one pending++ and two pending--, ends at -1, and takes
// part in nothing any more.
func TestFaultOfThePaperInsertedNodeEndsAtMinusOne(t *testing.T) {
	w, s, plan := oneWorld(t, lock.LossFree, 0, 1)
	for range 3 {
		if err := w.want(plan); err != nil {
			t.Fatal(err)
		}
		w.run(time.Minute)
		w.settled()
		path := w.path(s)
		if len(path) != 5 {
			t.Fatalf("not inserted: %v", path)
		}
		// And out again, the inserted host being locked like any other.
		if err := w.want(w.planFor(s, path, 1, 3)); err != nil {
			t.Fatal(err)
		}
		w.run(time.Minute)
		w.settled()
		if path := w.path(s); len(path) != 4 {
			t.Fatalf("not removed: %v", path)
		}
		plan = w.planFor(s, w.path(s), 1, 2, w.nodes[4])
	}
}

func TestFaultOfThePaperUpdateSynIsAlwaysAccepted(t *testing.T) {
	w, _, plan := oneWorld(t, lock.LossFree, 1, 1)
	right, fresh := w.node(plan.Right), w.node(plan.New[0])
	syn := Syn{Plan: &plan}
	if _, err := fresh.host.Receive(plan.Old[:1], plan.ID, syn, start); !errors.Is(err, ErrForbidden) {
		t.Errorf("from a host that is not beside it in the plan: %v, want %v", err, ErrForbidden)
	}
	orders, err := right.host.Receive(plan.New[:1], plan.ID, syn, start)
	if err != nil {
		t.Fatal(err)
	}
	want := lock.Why{Reason: lock.Unlocked, Host: right.addr}
	if len(orders) != 1 || orders[0].Action != (Send{plan.Left, Refuse{want}}) {
		t.Errorf("a right anchor that is not locked orders %v, want a REFUSE", orders)
	}
}

func TestFaultOfThePaperExactlyThreeNodes(t *testing.T) {
	w, s, plan := oneWorld(t, lock.Ordered, 5, 4)
	if err := w.want(plan); err != nil {
		t.Fatal(err)
	}
	w.run(time.Minute)
	w.settled()
	if got := len(w.path(s)); got != 8 {
		t.Errorf("path has %d hosts, want 8", got)
	}
}

func TestFaultOfThePaperMessagesAreDoubled(t *testing.T) {
	for _, g := range guarantees {
		w, s, plan := oneWorld(t, g, 2, 2)
		w.fate = func(from, to *node, _ lock.ID, _ Message) []time.Duration {
			return []time.Duration{w.latency(from, to), w.latency(from, to), w.between(0, 10*time.Second)}
		}
		w.chatter(s, 100)
		if err := w.want(plan); err != nil {
			t.Fatal(err)
		}
		w.run(time.Minute)
		w.settled()
		if s.released {
			t.Errorf("%v: order was given up", g)
		}
	}
}

func TestFaultOfThePaperNoTimeLimits(t *testing.T) {
	w, s, plan := oneWorld(t, lock.LossFree, 1, 1)
	w.fate = func(*node, *node, lock.ID, Message) []time.Duration { return nil }
	var failed []Report
	w.onReport = func(_ *node, _ Order, r Report) {
		if r.Step == StepFailed {
			failed = append(failed, r)
		}
	}
	if err := w.want(plan); err != nil {
		t.Fatal(err)
	}
	w.run(5 * time.Minute)
	w.settled()
	if len(failed) != 1 || failed[0].Why.Reason != lock.NoAnswer || len(w.path(s)) != 5 {
		t.Errorf("reports %v, path %v; want one failure for want of an answer", failed, w.path(s))
	}
}

func TestNeighboursThatBothWantToLeaveDoSoOneAfterTheOther(t *testing.T) {
	w, s, _ := oneWorld(t, lock.Ordered, 2, 0)
	path := w.path(s)
	for _, plan := range []lock.Plan{w.planFor(s, path, 1, 3), w.planFor(s, path, 2, 4)} {
		if err := w.want(plan); err != nil {
			t.Fatal(err)
		}
	}
	w.chatter(s, 400)
	w.run(time.Minute)
	w.settled()
	// The second one's path has changed when its turn comes.
	if got := len(w.path(s)); got != 5 {
		t.Errorf("path has %d hosts, want 5: %v", got, w.path(s))
	}
}

func TestDisjointSegmentsChangeAtTheSameTime(t *testing.T) {
	w, s, _ := oneWorld(t, lock.LossFree, 3, 0)
	path := w.path(s) // client left old1 old2 old3 right server
	var committed []time.Duration
	w.onReport = func(_ *node, _ Order, r Report) {
		if r.Step == StepCommitted {
			committed = append(committed, w.now)
		}
	}
	for _, plan := range []lock.Plan{w.planFor(s, path, 0, 2), w.planFor(s, path, 4, 6)} {
		if err := w.want(plan); err != nil {
			t.Fatal(err)
		}
	}
	w.run(time.Minute)
	w.settled()
	if len(w.path(s)) != 5 || len(committed) != 2 || committed[1]-committed[0] > 20*time.Millisecond {
		t.Errorf("path %v, committed at %v, want both at once", w.path(s), committed)
	}
}

func TestHundredMigrationsOfOneSessionOneAfterTheOther(t *testing.T) {
	for _, g := range guarantees {
		w, s, plan := oneWorld(t, g, 1, 1)
		w.addNode("third")
		w.chatter(s, 5000)
		for i := range 100 {
			if err := w.want(plan); err != nil {
				t.Fatal(err)
			}
			w.run(1500 * time.Millisecond)
			path := w.path(s)
			if path[2].addr != plan.New[0] {
				t.Fatalf("%v: migration %d did not replace %v", g, i, path[2])
			}
			fresh := w.nodes[2]
			for _, n := range []*node{w.nodes[2], w.nodes[5], w.nodes[6]} {
				if n.entries[s] == nil {
					fresh = n
				}
			}
			plan = w.planFor(s, path, 1, 3, fresh)
		}
		w.run(time.Minute)
		w.settled()
		if s.released {
			t.Errorf("%v: order was given up", g)
		}
	}
}

// What the left anchor holds is let go between its agent's decision and the order.
func TestOverflowThatCrossesTheCommitAbortsIt(t *testing.T) {
	for _, g := range []lock.Guarantee{lock.Ordered, lock.Substream} {
		w, s, plan := oneWorld(t, g, 1, 1)
		left := w.node(plan.Left)
		overflowed := false
		w.watcher = func(n *node, _ lock.ID, _ Event, orders []Order) {
			commits := func(o Order) bool { return o.Action == Switch{Rightward, lock.NewPath} }
			if n == left && !overflowed && slices.ContainsFunc(orders, commits) {
				overflowed = true
				left.entries[s].overflow(left.entries[s].record)
			}
		}
		var reports []Report
		w.onReport = func(n *node, _ Order, r Report) {
			if n == left && r.Step != StepDrained {
				reports = append(reports, r)
			}
		}
		w.chatter(s, 1000)
		if err := w.want(plan); err != nil {
			t.Fatal(err)
		}
		w.run(time.Minute)
		w.settled()
		why := lock.Why{Reason: lock.Overflowed, Host: plan.Left}
		want := []Report{{Step: StepLocked}, {StepAborted, why}, {StepFailed, why}}
		if !slices.Equal(reports, want) {
			t.Errorf("%v: the left anchor reports %v, want %v", g, reports, want)
		}
	}
}

// Only what is sent behind the left anchor's switch says that it has committed.
func TestOldHostBelievesItsMarkersMoreThanAnAbort(t *testing.T) {
	for g, want := range map[lock.Guarantee]Outcome{
		lock.LossFree: Committed, lock.Ordered: AbortedForGood, lock.Substream: AbortedForGood,
	} {
		_, _, plan := oneWorld(t, g, 1, 0)
		m, _ := New(&plan, plan.Old[0], start)
		m.Step(MarkerSeen{Leftward}, start)
		if m.Step(MarkerSeen{Rightward}, start); m.State() != Drained {
			t.Fatalf("%v: an old host that has seen both markers is %v, want %v", g, m.State(), Drained)
		}
		actions := m.Step(Received{plan.Right, Abort{}}, start)
		if left := slices.Contains(actions, Action(Remove{lock.OldPath})); m.Outcome() != want || left != (want == Committed) {
			t.Errorf("%v: it takes the migration for %v and leaves: %t; want %v", g, m.Outcome(), left, want)
		}
	}
}

func TestMemoryIsBoundedAndKeepsTheFirstWord(t *testing.T) {
	var m Memory
	m.Set(1, Committed)
	m.Set(1, AbortedForGood)
	if got := m.Get(1); got != Committed {
		t.Errorf("outcome of 1 = %v, want the first one", got)
	}
	for id := range lock.ID(MaxOutcomes) {
		m.Set(id+2, AbortedForGood)
	}
	if m.Get(1) != Undecided || m.Get(MaxOutcomes+1) != AbortedForGood || len(m.outcomes) != MaxOutcomes {
		t.Errorf("%d outcomes; of 1: %v; of the last: %v", len(m.outcomes), m.Get(1), m.Get(MaxOutcomes+1))
	}
}
