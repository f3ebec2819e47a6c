// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"testing"
	"time"

	"mbchain/agentd/internal/lock"
)

func TestPace(t *testing.T) {
	var p pace
	room := func() (n int) {
		for p.room(n) {
			n++
		}
		return n
	}
	want := func(n int, when string) {
		t.Helper()
		if got := room(); got != n {
			t.Errorf("%s: room for %d, want %d", when, got, n)
		}
	}
	now := time.Now()
	want(firstWindow, "at first")
	for range firstWindow + 1 {
		p.done()
	}
	want(firstWindow+1, "after as many as there was room for")
	p.failed(lock.Busy, now)
	want(firstWindow+1, "a session that is busy says nothing of hosts")
	for range 10 {
		p.failed(lock.NoAnswer, now)
	}
	want((firstWindow+1)/2, "after many failures of one moment")
	for range 10 {
		now = now.Add(paceTime)
		p.failed(lock.NoAnswer, now)
	}
	want(1, "however many fail")
	for range 10_000 {
		p.done()
	}
	want(lastWindow, "however many are done")
}
