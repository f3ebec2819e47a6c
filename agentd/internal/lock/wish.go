// SPDX-License-Identifier: Apache-2.0

package lock

import "time"

const (
	// MaxTries is how often the segment is asked for before a wish has failed.
	MaxTries = 8
	// FirstPause is the pause after the first try, before jitter; each one after
	// it is twice as long, up to LongestPause.
	FirstPause   = 50 * time.Millisecond
	LongestPause = 3200 * time.Millisecond
)

// Wish is a change of a session's path that somebody wants of its left anchor,
// while there is no try of it under way. It holds no lock: the host serves other
// migrations meanwhile.
type Wish struct {
	plan  Plan // with the id of the last try
	tries int
	next  time.Time // of the next try
}

// NewWish returns a wish that is due now. The id of its plan is random.
func NewWish(plan Plan, now time.Time) *Wish { return &Wish{plan: plan, next: now} }

// Due returns when the next try is due.
func (w *Wish) Due() time.Time { return w.next }

// Plan returns what is wanted, with the id of the last try.
func (w *Wish) Plan() Plan { return w.plan }

// Next returns the plan of the next try, with an id of its own.
func (w *Wish) Next() *Plan {
	w.plan.ID = w.plan.ID.Try(w.tries)
	w.tries++
	plan := w.plan
	return &plan
}

// Lost says that the last try failed for this reason. It reports whether there is
// to be another one, and [Wish.Due] then says when.
func (w *Wish) Lost(why Why, now time.Time) bool {
	if w.tries >= MaxTries {
		return false
	}
	switch why.Reason {
	case Busy, NoAnswer:
	default:
		return false // the next try would end the same way
	}
	w.next = now.Add(w.pause())
	return true
}

// pause returns how long to wait, 0.5 to 1.5 of what doubles with every try. The
// random bits of the id spread those that were refused together.
func (w *Wish) pause() time.Duration {
	pause := min(FirstPause<<(w.tries-1), LongestPause)
	// Fibonacci hashing: neighbouring tries get unlike bits.
	bits := uint64(w.plan.ID) * 0x9e3779b97f4a7c15 >> 48
	return pause/2 + pause*time.Duration(bits)/(1<<16)
}
