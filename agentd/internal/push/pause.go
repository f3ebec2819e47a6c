// SPDX-License-Identifier: Apache-2.0

package push

import "time"

const (
	// MinPause is the mean of the pause before the first new attempt: short,
	// because a policyd that restarts is back at once.
	MinPause = 250 * time.Millisecond
	// MaxPause is the longest mean: how long a host may stay unaware that
	// policyd is back.
	MaxPause = 8 * time.Second
)

// pause is the exponential back-off between attempts.
type pause struct {
	next   time.Duration
	random func() float64 // [0, 1)
}

// take returns how long to wait now: the mean plus or minus one half of it.
func (p *pause) take() time.Duration {
	if p.next == 0 {
		p.next = MinPause
	}
	d := time.Duration(float64(p.next) * (0.5 + p.random()))
	p.next = min(2*p.next, MaxPause)
	return d
}

func (p *pause) reset() { p.next = 0 }
