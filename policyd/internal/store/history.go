// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"unicode/utf8"
)

const (
	// MaxHistory is how many policies are kept beside the running one: a month
	// of one a day.
	MaxHistory = 32
	// MaxHistoryBytes is how long their texts may be together; the oldest go
	// first. Every snapshot carries them.
	MaxHistoryBytes = 16 << 20
	// MaxBy is the length of what is kept of who applied a policy, in bytes.
	MaxBy = 256
)

// At returns the policy of a version: the running one or one of the history.
func (s *State) At(version uint64) (Policy, bool) {
	if version == s.Policy.Version && version != 0 {
		return s.Policy, true
	}
	for _, p := range s.History {
		if p.Version == version {
			return p, true
		}
	}
	return Policy{}, false
}

// withRunning returns the history with the running policy in front.
func (s *State) withRunning() []Policy {
	if s.Policy.Version == 0 {
		return nil
	}
	bytes := 0
	list := make([]Policy, 0, min(len(s.History)+1, MaxHistory))
	for _, p := range append([]Policy{s.Policy}, s.History...) {
		if bytes += len(p.Source); bytes > MaxHistoryBytes || len(list) == MaxHistory {
			break
		}
		list = append(list, p)
	}
	return list
}

// checkHistory refuses one that [State.Apply] would not have made.
func (s *State) checkHistory() error {
	if len(s.History) > MaxHistory {
		return fmt.Errorf("%d old policies", len(s.History))
	}
	bytes, after := 0, s.Policy.Version
	for _, p := range s.History {
		bytes += len(p.Source)
		switch {
		case p.Version == 0 || p.Version >= after:
			return fmt.Errorf("policy version %d is out of order", p.Version)
		case bytes > MaxHistoryBytes:
			return fmt.Errorf("old policies of more than %d bytes", MaxHistoryBytes)
		case !utf8.ValidString(p.Source) || len(p.By) > MaxBy || !utf8.ValidString(p.By):
			return fmt.Errorf("policy version %d is not UTF-8 text", p.Version)
		}
		after = p.Version
	}
	return nil
}
