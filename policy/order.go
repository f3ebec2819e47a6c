// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"

	"mbchain/chain"
)

// likelihood estimates how often a predicate holds for a session of which
// nothing is known, from 0 to 1. It only decides in which order the parts of
// a predicate are tested, so that most tests end after the first.
func likelihood(p Predicate) float64 {
	switch p := p.(type) {
	case Protocol:
		if uint8(p) == chain.ProtocolTCP {
			return 0.9 // nearly all that is classified
		}
		return 0.05
	case Address:
		return math.Ldexp(1, -p.Prefix.Bits())
	case Port:
		return (float64(p.High-p.Low) + 1) / (math.MaxUint16 + 1)
	case Not:
		return 1 - likelihood(p.X)
	case And:
		all := 1.0
		for _, x := range p {
			all *= likelihood(x)
		}
		return all
	case Or:
		none := 1.0
		for _, x := range p {
			none *= 1 - likelihood(x)
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
