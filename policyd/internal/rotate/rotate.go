// SPDX-License-Identifier: Apache-2.0

package rotate

import (
	"time"

	"mbchain/identity"
	"mbchain/policyd/internal/store"
)

const (
	// AbsentFor is how long a step waits for hosts that are not connected. One
	// that comes back later gets the keys of then, and until it has them it
	// cannot take part in new sessions.
	AbsentFor = time.Hour
	// SettleFor is how long an old key outlives its last use: a SYN that nobody
	// answered is sent again for two minutes, as it was signed.
	SettleFor = 3 * time.Minute
	// maxWaiting bounds the names in an answer.
	maxWaiting = 100
)

// Step is how far a rotation is. Append-only.
type Step uint8

// The steps.
const (
	Idle      Step = iota // one key
	Spreading             // the new key verifies
	Retiring              // the new key signs, the old one verifies
)

// String returns the step's word.
func (s Step) String() string {
	switch s {
	case Idle:
		return "idle"
	case Spreading:
		return "spreading"
	case Retiring:
		return "retiring"
	}
	return "unknown"
}

// Of returns the step that a state is in: ids rise, so the newer key is known.
func Of(s *store.State) Step {
	switch {
	case len(s.Keys) < 2:
		return Idle
	case s.Keys[0].ID < s.Keys[1].ID:
		return Spreading
	default:
		return Retiring
	}
}

// Host is what is known of a host.
type Host struct {
	Name      string
	Connected bool
	Acked     uint64 // State.Index of the newest subpolicy that it has loaded
}

// Begin returns the command that begins a rotation, nil if one is under way.
func Begin(s *store.State, secret []byte, now time.Time) *store.SetKeys {
	if Of(s) != Idle || len(s.Keys) == 0 {
		return nil
	}
	old := s.Keys[0]
	return set(s, now, old, store.SetupKey{ID: old.ID + 1, Secret: secret, CreatedUnixMS: now.UnixMilli()})
}

// Due says whether a rotation should begin without anybody's asking: the key is as
// old as every allows (0: any age), or a host that has it was revoked. The key that
// was made with the state is as old as started says.
func Due(s *store.State, every time.Duration, started, now time.Time) bool {
	if Of(s) != Idle || len(s.Keys) == 0 {
		return false
	}
	key := s.Keys[0]
	for _, m := range s.Members {
		if m.Role == identity.Agent.String() && m.Revoked && m.RevokedUnixMS >= key.CreatedUnixMS {
			return true
		}
	}
	since := started
	if key.CreatedUnixMS != 0 {
		since = time.UnixMilli(key.CreatedUnixMS)
	}
	return every > 0 && now.Sub(since) >= every
}

// Next returns the command for the next step; nil: it is not time yet, and the
// names of hosts that are waited for, if any.
func Next(s *store.State, hosts []Host, now time.Time) (*store.SetKeys, []string) {
	step := Of(s)
	if step == Idle {
		return nil, nil
	}
	since := now.Sub(time.UnixMilli(s.KeysUnixMS))
	var waiting []string
	for _, h := range hosts {
		missing := h.Acked < s.KeysIndex && (h.Connected || since < AbsentFor)
		if missing && len(waiting) < maxWaiting {
			waiting = append(waiting, h.Name)
		}
	}
	switch {
	case len(waiting) > 0:
		return nil, waiting
	case step == Spreading:
		return set(s, now, s.Keys[1], s.Keys[0]), nil
	case since < SettleFor:
		return nil, nil
	}
	return set(s, now, s.Keys[0]), nil
}

func set(s *store.State, now time.Time, keys ...store.SetupKey) *store.SetKeys {
	return &store.SetKeys{Keys: keys, IfIndex: s.KeysIndex, NowUnixMS: now.UnixMilli()}
}
