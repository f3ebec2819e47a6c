// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"slices"

	"mbchain/identity"
)

// Restore puts the state of a snapshot in the place of the present one. It is
// an entry of the log like any other: all voters follow, and a command that
// comes after it finds the restored state.
type Restore struct {
	State     *State `json:"state"`
	NowUnixMS int64  `json:"now_unix_ms"`
}

// restore keeps what belongs to this cluster and not to the one whose snapshot
// it is. A version of the policy never names two texts: one that comes back
// gets a new version, and the history stays this cluster's own, unless it never
// had any.
func (s *State) restore(index uint64, c *Restore) *State {
	next := *c.State
	next.Nodes, next.Requests = s.Nodes, s.Requests
	switch running := s.Policy; {
	case running.Version == 0:
	case running.Source == next.Policy.Source:
		next.Policy, next.History = running, s.History
	default:
		next.History = s.withRunning()
		next.Policy.RollbackOf = 0 // of another history
		next.Policy.Version = max(running.Version, next.Policy.Version) + 1
	}
	next.restoreKeys(s, index, c.NowUnixMS)
	next.restoreMembers(s)
	return &next
}

// restoreKeys makes the keys as old as they are to the hosts of this cluster.
func (s *State) restoreKeys(present *State, index uint64, now int64) {
	if slices.EqualFunc(s.Keys, present.Keys, sameKey) {
		s.KeysIndex, s.KeysUnixMS = present.KeysIndex, present.KeysUnixMS
		return
	}
	s.KeysIndex, s.KeysUnixMS = index, now
}

// restoreMembers says who is who. Under the same CA whoever was revoked since the
// snapshot stays revoked, and who joined since stays a member. Under another CA the
// certificates and tokens of this cluster mean nothing any more.
func (s *State) restoreMembers(present *State) {
	if len(s.CA) == 0 {
		s.CA, s.Tokens, s.Members = present.CA, present.Tokens, present.Members
		return
	}
	if !bytes.Equal(s.CA, present.CA) {
		s.Tokens = nil
		return
	}
	s.Tokens, s.Members = present.Tokens, newerMembers(s.Members, present.Members)
	s.Hosts = slices.DeleteFunc(slices.Clone(s.Hosts), func(h Host) bool {
		m, known := s.Member(identity.Agent.String(), h.Name)
		return known && m.Revoked
	})
}

// newerMembers are those of both lists; of one name, what was last decided.
func newerMembers(a, b []Member) []Member {
	var list []Member
	for len(a) > 0 && len(b) > 0 {
		switch order := compareMembers(a[0], b[0]); {
		case order < 0:
			list, a = append(list, a[0]), a[1:]
		case order > 0:
			list, b = append(list, b[0]), b[1:]
		default:
			newer := b[0]
			if a[0].Epoch > newer.Epoch {
				newer = a[0]
			}
			list, a, b = append(list, newer), a[1:], b[1:]
		}
	}
	return append(append(list, a...), b...)
}
