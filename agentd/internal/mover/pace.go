// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"time"

	"mbchain/agentd/internal/lock"
)

const (
	// firstWindow is how many migrations a host leads at once to begin with, and
	// lastWindow the most: more would take no less time, and hold more packets.
	firstWindow = 8
	lastWindow  = 64
	// paceTime is how long the window stays as it is after it was halved: what fails
	// until then had begun before.
	paceTime = time.Second
)

// pace says how many migrations are to be under way at once. It is TCP's way of
// finding out how much the others can take: each one that is done widens the window
// a little, and one that a host did not answer in time halves it.
type pace struct {
	window float64
	halved time.Time
}

// room reports whether another one may begin beside so many.
func (p *pace) room(running int) bool { return running < p.size() }

// size returns how many may be under way at once.
func (p *pace) size() int {
	if p.window == 0 {
		p.window = firstWindow
	}
	return int(p.window)
}

// done notes the end of a migration.
func (p *pace) done() { p.window = min(p.window+1/p.window, lastWindow) }

// failed notes why a try of one came to nothing.
func (p *pace) failed(why lock.Reason, now time.Time) {
	if why != lock.NoAnswer || now.Sub(p.halved) < paceTime {
		return
	}
	p.window, p.halved = max(p.window/2, 1), now
}
