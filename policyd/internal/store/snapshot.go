// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"unicode/utf8"

	"mbchain/identity"
)

// The versions of the encoding that are read; a new field is a new version, and a
// snapshot is written in the oldest that has its fields.
const (
	oldestSnapshot  = 2
	snapshotVersion = 3 // Drains
)

// maxSnapshot bounds what is read into memory, in bytes: a policy of 4 MiB and
// MaxHistoryBytes of older ones, escaped, and MaxHosts hosts with MaxAddresses
// addresses stay well below it.
const maxSnapshot = 256 << 20

// maxVersion of a policy leaves room for all that will ever come.
const maxVersion = 1 << 62

type snapshotEnvelope struct {
	Version int    `json:"version"`
	State   *State `json:"state"`
}

// WriteSnapshot writes s, as [ReadSnapshot] reads it, to w.
func WriteSnapshot(w io.Writer, s *State) error {
	version := oldestSnapshot
	if len(s.Drains) > 0 {
		version = snapshotVersion
	}
	if err := json.NewEncoder(w).Encode(snapshotEnvelope{version, s}); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// ReadSnapshot returns the state that [WriteSnapshot] wrote.
func ReadSnapshot(r io.Reader) (*State, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSnapshot+1))
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if len(b) > maxSnapshot {
		return nil, fmt.Errorf("read snapshot: larger than %d bytes", maxSnapshot)
	}
	if err := checkVersion(b, oldestSnapshot, snapshotVersion); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	var e snapshotEnvelope
	if err := decodeStrict(b, &e); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if e.State == nil {
		return nil, errors.New("read snapshot: no state in it")
	}
	if err := e.State.check(); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return e.State, nil
}

// check refuses a state that commands cannot go on from.
func (s *State) check() error {
	if s.IsSetUp() || len(s.Seed) > 0 {
		if err := checkSecrets(s.Seed, s.Keys); err != nil {
			return err
		}
	}
	if err := errors.Join(s.checkHistory(), checkNodes(s.Nodes), checkRequests(s.Requests), s.checkIdentity(), checkDrains(s.Drains)); err != nil {
		return err
	}
	if s.Policy.Version > maxVersion {
		return fmt.Errorf("policy version %d", s.Policy.Version)
	}
	if !utf8.ValidString(s.Policy.Source) {
		return errors.New("policy is not UTF-8 text")
	}
	if len(s.Hosts) > MaxHosts {
		return fmt.Errorf("%d hosts", len(s.Hosts))
	}
	owners := map[netip.Addr]string{}
	for i, h := range s.Hosts {
		if err := h.check(); err != nil {
			return err
		}
		for _, a := range h.Addresses {
			if owner, taken := owners[a]; taken {
				return fmt.Errorf("hosts %s and %s have address %s", owner, h.Name, a)
			}
			owners[a] = h.Name
		}
		if i > 0 && s.Hosts[i-1].Name >= h.Name {
			return fmt.Errorf("host %s is out of order", h.Name)
		}
	}
	if len(owners) > MaxAddresses {
		return fmt.Errorf("%d addresses of hosts", len(owners))
	}
	return nil
}

func (s *State) checkIdentity() error {
	if len(s.CA) > 0 {
		if _, err := identity.ParseCA(s.CA); err != nil {
			return err
		}
	}
	for i, t := range s.Tokens {
		if err := t.check(); err != nil {
			return err
		}
		if i > 0 && s.Tokens[i-1].ID >= t.ID {
			return fmt.Errorf("token %s is out of order", t.ID)
		}
	}
	for i, m := range s.Members {
		if err := m.check(); err != nil {
			return err
		}
		if i > 0 && compareMembers(s.Members[i-1], m) >= 0 {
			return fmt.Errorf("%s %s is out of order", m.Role, m.Name)
		}
	}
	return nil
}
