// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"slices"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
)

// maxHistory is how many migrations are remembered beside those that are not over:
// all of one command that moves a busy host's sessions.
const maxHistory = 16384

// The states of an entry, as proto.Migration has them.
const (
	stateQueued       = "queued"
	stateLocking      = "locking"
	stateEstablishing = "establishing"
	stateDraining     = "draining"
	stateDone         = "done"
	stateFailed       = "failed"
)

// An entry is what is known of one migration that this host leads.
type entry struct {
	id        lock.ID // of try 0
	job       uint64
	plan      lock.Plan
	state     string
	why       lock.Why
	tries     int
	messages  uint32
	began     time.Time
	ended     time.Time // the zero time: it is not over
	steps     []stepAt
	restored  bool // nobody of this agent wants it
	cancelled bool

	told    int  // how many steps the observer knows
	toldEnd bool // and the end
}

type stepAt struct {
	step migrate.Step
	at   time.Duration // since it began
	why  lock.Why
}

func (e *entry) over() bool { return !e.ended.IsZero() }

func (e *entry) committed() bool {
	return slices.ContainsFunc(e.steps, func(s stepAt) bool { return s.step == migrate.StepCommitted })
}

// took returns how long it took, or has taken so far.
func (e *entry) took(now time.Time) time.Duration {
	if e.over() {
		now = e.ended
	}
	return now.Sub(e.began)
}

// history is the entries, by when they were wanted.
type history struct {
	entries []*entry
	byID    map[lock.ID]*entry
}

func (h *history) add(e *entry) {
	h.entries = append(h.entries, e)
	h.byID[e.id] = e
	if len(h.entries) <= maxHistory {
		return
	}
	if i := slices.IndexFunc(h.entries, (*entry).over); i >= 0 {
		delete(h.byID, h.entries[i].id)
		h.entries = slices.Delete(h.entries, i, i+1)
	}
}

func (h *history) of(id lock.ID) *entry { return h.byID[id.Try(0)] }

// count notes a message of a migration.
func (h *history) count(id lock.ID) {
	if e := h.of(id); e != nil {
		e.messages++
	}
}

// note takes a step down, and reports whether the migration is over with it.
func (h *history) note(id lock.ID, r migrate.Report, now time.Time) (e *entry, over bool) {
	e = h.of(id)
	if e == nil || e.over() {
		return e, false
	}
	e.steps = append(e.steps, stepAt{r.Step, now.Sub(e.began), r.Why})
	if r.Why != (lock.Why{}) {
		e.why = r.Why
	}
	switch r.Step {
	case migrate.StepLocked:
		e.state = stateEstablishing
	case migrate.StepCommitted:
		e.state = stateDraining
	case migrate.StepDone:
		return e, e.end(stateDone, now)
	case migrate.StepAborted:
		e.state = stateLocking // there may be another try
		return e, e.restored && e.end(stateFailed, now)
	case migrate.StepEnded:
		if e.committed() {
			return e, e.end(stateDone, now)
		}
		return e, e.restored && e.end(stateFailed, now)
	case migrate.StepFailed:
		return e, e.end(stateFailed, now)
	}
	return e, false
}

func (e *entry) end(state string, now time.Time) bool {
	e.state, e.ended = state, now
	if state == stateDone {
		e.why = lock.Why{}
	}
	return true
}
