// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"slices"

	"mbchain/chain"
	"mbchain/policy"
	"mbchain/proto"
)

// An Answer is what one host says of its sessions.
type Answer struct {
	Sessions []*proto.Session // in the order of their ids
	// It has more than it was asked for.
	Truncated bool
}

// A Selection says which sessions change: those whose id begins with Prefix, or,
// when Match is given, those of which it holds and which are not over.
type Selection struct {
	Prefix []byte
	Match  policy.Predicate
}

func (s *Selection) holds(r *proto.Session) bool {
	id, err := chain.SessionIDFromBytes(r.GetId())
	if err != nil || !id.HasPrefix(s.Prefix) {
		return false
	}
	if s.Match == nil {
		return true
	}
	if state, err := chain.ParseState(r.State); err == nil && state.Ended() {
		return false
	}
	super, err := fiveTuple(r.Super)
	return err == nil && s.Match.Match(super)
}

// selected is one session with the records that the hosts concerned have of it.
type selected struct {
	id      chain.SessionID
	records map[string][]*proto.Session // by host
	first   string                      // host at which it begins; only Follow knows
}

// sessions returns, by id, the sessions that s holds for at one of the hosts that
// they have to pass.
func (s *Selection) sessions(c *Change, answers map[string]Answer) []selected {
	at := map[chain.SessionID]int{}
	var all []selected
	for _, host := range c.Present() {
		for _, r := range answers[host].Sessions {
			if !s.holds(r) {
				continue
			}
			if id := chain.SessionID(r.Id); at[id] == 0 {
				all = append(all, selected{id: id, records: map[string][]*proto.Session{}})
				at[id] = len(all)
			}
		}
	}
	for _, host := range c.Concerned() {
		for _, r := range answers[host].Sessions {
			id, err := chain.SessionIDFromBytes(r.GetId())
			if i := at[id]; err == nil && i > 0 {
				all[i-1].records[host] = append(all[i-1].records[host], r)
			}
		}
	}
	slices.SortFunc(all, func(a, b selected) int { return bytes.Compare(a.id[:], b.id[:]) })
	return all
}

// unseen reports whether a may lack a session because it was cut.
func (a Answer) unseen(id chain.SessionID) bool {
	if !a.Truncated || len(a.Sessions) == 0 {
		return a.Truncated
	}
	return bytes.Compare(a.Sessions[len(a.Sessions)-1].GetId(), id[:]) < 0
}
