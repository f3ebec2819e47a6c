// SPDX-License-Identifier: Apache-2.0

package push

import (
	"time"

	"mbchain/proto"
)

// An Observer is told what a [Hub] does. It must not block.
type Observer interface {
	// Pushed: a subpolicy was sent to a host, whole or as a change.
	Pushed(change bool)
	// Acknowledged: a host has loaded the newest subpolicy that it was sent, or
	// refused it, or could not make a change of it, or has spoken of an older one.
	Acknowledged(outcome Outcome)
	// Spread: all hosts that were connected when a policy was applied run it, or
	// are gone, so long after it was applied.
	Spread(took time.Duration)
	// Asked: hosts have answered questions, were not there to be asked, or did not
	// answer as they should.
	Asked(answered, notConnected, failed int)
}

// Outcome is what a host made of a push.
type Outcome string

// The outcomes.
const (
	Loaded  Outcome = "loaded"
	Refused Outcome = "refused"
	Misfit  Outcome = "misfit"
	Late    Outcome = "late"
)

// Observe has the hub tell o from now on. It is called before the first
// [Hub.Update].
func (h *Hub) Observe(o Observer) { h.observer = o }

// nobody is an Observer.
type nobody struct{}

func (nobody) Pushed(bool)          {}
func (nobody) Acknowledged(Outcome) {}
func (nobody) Spread(time.Duration) {}
func (nobody) Asked(_, _, _ int)    {}

// observeAsked tells how questions were answered.
func (h *Hub) observeAsked(answered int, missing []*proto.Missing) {
	absent := 0
	for _, m := range missing {
		if m.Error == NotConnected {
			absent++
		}
	}
	h.observer.Asked(answered, absent, len(missing)-absent)
}

// observeReached tells when a policy has come to all hosts; h.mu is held.
func (h *Hub) observeReached(name string, version uint64) {
	if took, all := h.spread.reached(name, version); all {
		h.observer.Spread(took)
	}
}
