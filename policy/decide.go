// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/dchest/siphash"

	"mbchain/chain"
)

// Decide is who decides which instance of a type a session gets (paper, sections 3.1 and
// 3.2).
type Decide uint8

// The choices. Append-only.
const (
	ByAgent  Decide = iota // the host at which the session begins, for each session
	ByServer               // the policy server, beforehand, for each host at which sessions begin
)

// String returns "agent" or "policyd".
func (d Decide) String() string {
	if d == ByServer {
		return "policyd"
	}
	return "agent"
}

// wordDecide begins what says who decides.
const wordDecide = "decide"

// DecidedFor returns types as the host of a name, at which sessions begin, has them: of
// those with [ByServer] there is one instance for each family of addresses, or none if the
// type has none. Each host gets one by its weight; one that comes or goes changes what
// the others have as little as can be. Other types are returned as they are.
func DecidedFor(types []*Type, seed Seed, host string) []*Type {
	if !slices.ContainsFunc(types, func(t *Type) bool { return t.Decide == ByServer }) {
		return types
	}
	list := slices.Clone(types)
	for i, t := range types {
		if t.Decide == ByServer {
			list[i] = t.decidedFor(seed, host)
		}
	}
	return list
}

func (t *Type) decidedFor(seed Seed, host string) *Type {
	c := *t
	c.Host, c.Instances = host, nil
	best := map[chain.Family]int{}
	for _, f := range families {
		best[f] = -1
		score := math.Inf(-1)
		for i, in := range t.Instances {
			if !in.addressFor(f).IsValid() {
				continue
			}
			if s := in.score(seed, t.Name, host, f); best[f] < 0 || s > score {
				best[f], score = i, s
			}
		}
	}
	for i, in := range t.Instances {
		kept := in
		for _, f := range families {
			if best[f] != i {
				kept.clear(f)
			}
		}
		if kept.Address.IsValid() || kept.Address6.IsValid() {
			c.Instances = append(c.Instances, kept)
		}
	}
	return &c
}

// score is the instance's in a draw with weights, for one host and family: the greatest
// wins (weighted rendezvous hashing).
func (in Instance) score(seed Seed, nfType, host string, f chain.Family) float64 {
	message := slices.Concat([]byte(nfType), []byte{0}, []byte(host), []byte{0}, in.addressFor(f).AsSlice())
	h := siphash.Hash(binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:]), message)
	u := (float64(h>>11) + 0.5) / (1 << 53) // in (0, 1)
	return float64(in.Weight) / -math.Log(u)
}
