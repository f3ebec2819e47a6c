// SPDX-License-Identifier: Apache-2.0

package setup

import "time"

// An Observer is told how set-ups end. It must not block.
type Observer interface {
	// Over: a set-up is over that this host's module wanted, or a neighbour. Took
	// is the time until all hosts of the chain had agreed, or until it failed.
	Over(own, agreed bool, took time.Duration)
}

// over tells the observer, if there is one.
func (s *Service) over(own, agreed bool, took time.Duration) {
	if s.config.Observer != nil {
		s.config.Observer.Over(own, agreed, took)
	}
}

// UnderWay returns how many set-ups of this host there are now, and how many that
// neighbours asked for.
func (s *Service) UnderWay() (own, asked int) { return int(s.own.Load()), int(s.asked.Load()) }
