// SPDX-License-Identifier: Apache-2.0

package store

import (
	"net/netip"
	"slices"
	"strings"
)

// The bounds of a State.
const (
	// MaxHosts keeps one push to every host within what a small server sends
	// in seconds: a subpolicy that is pushed whole names the addresses of all hosts.
	MaxHosts = 10000
	// MaxAddresses is of all hosts together: the module's MBC_MAX_HOSTS.
	MaxAddresses = 65536
)

// SecretLen is the length of the seed and of a set-up key's secret, in bytes.
const SecretLen = 16

// State is everything policyd keeps on disk. It is shared and read-only: a
// command makes a new State, whose slices may be those of the old one.
type State struct {
	// Index is that of the log entry which changed the state last. It orders
	// two states of one policyd.
	Index  uint64     `json:"index"`
	Policy Policy     `json:"policy"`
	Seed   []byte     `json:"seed,omitempty"`  // key of the instance choice
	Keys   []SetupKey `json:"keys,omitempty"`  // the first one signs
	Hosts  []Host     `json:"hosts,omitempty"` // by name

	// History are the policies that ran before, the newest first: MaxHistory of
	// them and MaxHistoryBytes at most.
	History []Policy `json:"history,omitempty"`

	Nodes    []Node    `json:"nodes,omitempty"`    // by name
	Requests []Request `json:"requests,omitempty"` // the oldest first

	// KeysIndex is the log entry that changed the keys last, 0: none since they
	// were made; KeysUnixMS is when.
	KeysIndex  uint64 `json:"keys_index,omitempty"`
	KeysUnixMS int64  `json:"keys_unix_ms,omitempty"`

	CA      []byte   `json:"ca,omitempty"`      // PEM, with its key: see identity.ParseCA
	Tokens  []Token  `json:"tokens,omitempty"`  // by id
	Members []Member `json:"members,omitempty"` // by role and name

	Drains []Drain `json:"drains,omitempty"` // by host and type
}

// Policy is a policy text that was found right when it was applied.
type Policy struct {
	Version       uint64 `json:"version"` // 0: none was ever applied
	Source        string `json:"source,omitempty"`
	AppliedUnixMS int64  `json:"applied_unix_ms,omitempty"`
	By            string `json:"by,omitempty"`          // who applied it, as far as policyd knows
	RollbackOf    uint64 `json:"rollback_of,omitempty"` // version whose text it is again; 0: none
}

// SetupKey signs and verifies the set-up headers between hosts.
type SetupKey struct {
	ID     uint32 `json:"id"`
	Secret []byte `json:"secret"`
	// CreatedUnixMS is when it was made, 0: with the state.
	CreatedUnixMS int64 `json:"created_unix_ms,omitempty"`
}

// Host is a host that once said it runs an agent.
type Host struct {
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses"` // no other host has any of them
	NFTypes   []string     `json:"nf_types,omitempty"`
	Gateway   bool         `json:"gateway,omitempty"` // it stands in for clients without an agent
	// ChangedUnixMS is when it last said something new of itself.
	ChangedUnixMS int64 `json:"changed_unix_ms,omitempty"`
}

// Same reports whether two hosts differ in nothing but time.
func (h Host) Same(other Host) bool {
	return h.Name == other.Name &&
		slices.Equal(h.Addresses, other.Addresses) &&
		slices.Equal(h.NFTypes, other.NFTypes) &&
		h.Gateway == other.Gateway
}

// IsSetUp reports whether s has its seed and keys.
func (s *State) IsSetUp() bool { return len(s.Keys) > 0 }

// Host returns the host called name.
func (s *State) Host(name string) (Host, bool) {
	i, found := s.find(name)
	if !found {
		return Host{}, false
	}
	return s.Hosts[i], true
}

func (s *State) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s.Hosts, name, func(h Host, name string) int {
		return strings.Compare(h.Name, name)
	})
}
