// SPDX-License-Identifier: Apache-2.0

package store

// Restore puts the state of a snapshot in the place of the present one. It is
// an entry of the log like any other: all voters follow, and a command that
// comes after it finds the restored state.
type Restore struct {
	State *State `json:"state"`
}

// restore keeps what belongs to this cluster and not to the one whose snapshot
// it is. A version of the policy never names two texts: one that comes back
// gets a new version, and the history stays this cluster's own, unless it never
// had any.
func (s *State) restore(c *Restore) *State {
	next := *c.State
	next.Nodes, next.JoinTokens, next.Requests = s.Nodes, s.JoinTokens, s.Requests
	switch running := s.Policy; {
	case running.Version == 0:
	case running.Source == next.Policy.Source:
		next.Policy, next.History = running, s.History
	default:
		next.History = s.withRunning()
		next.Policy.RollbackOf = 0 // of another history
		next.Policy.Version = max(running.Version, next.Policy.Version) + 1
	}
	return &next
}
