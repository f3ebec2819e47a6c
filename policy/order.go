// SPDX-License-Identifier: Apache-2.0

package policy

import "mbchain/chain"

// likelihood estimates how often a predicate holds for a session of a region,
// of which nothing else is known, from 0 to 1. It only decides in which order
// the parts of a predicate are tested, so that most tests end after the first.
func likelihood(p Predicate, r *region) float64 {
	switch p := p.(type) {
	case Protocol:
		if uint8(p) == chain.ProtocolTCP {
			return 0.9 // nearly all that is classified
		}
		return 0.05
	case term:
		f, low, high := p.interval()
		low, high = r.clip(f, low, high)
		return low.distance(high) / r.low[f].distance(r.high[f])
	case Not:
		return 1 - likelihood(p.X, r)
	case And:
		all := 1.0
		for _, x := range p {
			all *= likelihood(x, r)
		}
		return all
	case Or:
		none := 1.0
		for _, x := range p {
			none *= 1 - likelihood(x, r)
		}
		return 1 - none
	}
	return 1
}

// cost estimates how many tests a predicate takes.
func cost(p Predicate) float64 {
	switch p := p.(type) {
	case Not:
		return cost(p.X)
	case And:
		return costOf(p)
	case Or:
		return costOf(p)
	}
	return 1
}

func costOf(parts []Predicate) float64 {
	sum := 0.0
	for _, x := range parts {
		sum += cost(x)
	}
	return sum
}
