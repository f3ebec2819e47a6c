// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"slices"
)

// MaxKeys is how many set-up keys live at a time: one that signs, and one that
// comes or goes.
const MaxKeys = 2

// SetKeys replaces the set-up keys, unless somebody else did since.
type SetKeys struct {
	Keys []SetupKey `json:"keys"`
	// IfIndex is the State.KeysIndex that the proposer saw.
	IfIndex   uint64 `json:"if_index"`
	NowUnixMS int64  `json:"now_unix_ms"`
}

func (c *SetKeys) check() error {
	if len(c.Keys) == 0 || len(c.Keys) > MaxKeys {
		return fmt.Errorf("%d set-up keys", len(c.Keys))
	}
	for i, k := range c.Keys {
		if len(k.Secret) != SecretLen {
			return fmt.Errorf("set-up key %d of %d bytes", k.ID, len(k.Secret))
		}
		if slices.ContainsFunc(c.Keys[:i], func(o SetupKey) bool { return o.ID == k.ID }) {
			return errors.New("two set-up keys with one id")
		}
	}
	return nil
}

// setKeys returns nil when nothing changes.
func (s *State) setKeys(index uint64, c *SetKeys) (*State, error) {
	if slices.EqualFunc(s.Keys, c.Keys, sameKey) {
		return nil, nil
	}
	if !s.IsSetUp() {
		return nil, fmt.Errorf("%w: there are no set-up keys yet", ErrVersion)
	}
	if s.KeysIndex != c.IfIndex {
		return nil, fmt.Errorf("%w: set-up keys were changed meanwhile", ErrVersion)
	}
	next := *s
	next.Keys, next.KeysIndex, next.KeysUnixMS = c.Keys, index, c.NowUnixMS
	return &next, nil
}

func sameKey(a, b SetupKey) bool { return a.ID == b.ID && slices.Equal(a.Secret, b.Secret) }
