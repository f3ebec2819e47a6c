// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"mbchain/identity"
)

// MaxMembers bounds the names that were ever admitted: hosts, and people.
const MaxMembers = 2 * MaxHosts

// Member is a name that was admitted to the domain.
type Member struct {
	Role      string       `json:"role"`
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses,omitempty"` // that its certificate may have
	// Epoch is that of the certificates that are valid: it rises with each
	// admission and revocation of the name.
	Epoch         uint32 `json:"epoch"`
	Key           []byte `json:"key"`   // hash of the one that it was admitted with
	Token         string `json:"token"` // id of the one that admitted it
	JoinedUnixMS  int64  `json:"joined_unix_ms"`
	Revoked       bool   `json:"revoked,omitempty"`
	RevokedUnixMS int64  `json:"revoked_unix_ms,omitempty"`
}

// Admit makes a newcomer a member, by a token.
type Admit struct {
	Role      string       `json:"role"`
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	Key       []byte       `json:"key"`
	TokenID   string       `json:"token_id"`
	Hash      []byte       `json:"hash"` // of the secret that was shown
	NowUnixMS int64        `json:"now_unix_ms"`
}

// Readdress changes the addresses of a member.
type Readdress struct {
	Role      string       `json:"role"`
	Name      string       `json:"name"`
	Epoch     uint32       `json:"epoch"` // that it has
	Addresses []netip.Addr `json:"addresses"`
}

// Revoke ends the certificates of a name. A host is forgotten.
type Revoke struct {
	Role      string `json:"role"`
	Name      string `json:"name"`
	NowUnixMS int64  `json:"now_unix_ms"`
}

func (m Member) check() error {
	if err := checkSubject(m.Role, m.Name, m.Addresses); err != nil {
		return err
	}
	if len(m.Key) != identity.HashLen {
		return fmt.Errorf("%s %s has a key of %d bytes", m.Role, m.Name, len(m.Key))
	}
	return nil
}

func checkSubject(role, name string, addresses []netip.Addr) error {
	if _, err := identity.ParseRole(role); err != nil {
		return err
	}
	if len(addresses) > identity.MaxAddresses {
		return fmt.Errorf("%s %s has %d addresses", role, name, len(addresses))
	}
	for _, a := range addresses {
		if !a.IsValid() || a.Zone() != "" {
			return fmt.Errorf("%s %s has address %q", role, name, a)
		}
	}
	return identity.CheckName(name)
}

// Member returns the one of a role and name.
func (s *State) Member(role, name string) (Member, bool) {
	i, found := s.findMember(role, name)
	if !found {
		return Member{}, false
	}
	return s.Members[i], true
}

func (s *State) findMember(role, name string) (int, bool) {
	return slices.BinarySearchFunc(s.Members, Member{Role: role, Name: name}, compareMembers)
}

func compareMembers(a, b Member) int {
	return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Name, b.Name))
}

// Valid says what is against a certificate of a subject, whose time and signature
// are right: nil, or [identity.ErrRevoked]. A name that is not known may be of a time
// after the snapshot that the state was restored from: the CA vouches for it.
func (s *State) Valid(who identity.Subject) error {
	m, known := s.Member(who.Role.String(), who.Name)
	if known && (m.Revoked || who.Epoch < m.Epoch) {
		return fmt.Errorf("%w: %s", identity.ErrRevoked, who)
	}
	return nil
}

// admit returns nil when nothing changes.
func (s *State) admit(c *Admit) (*State, error) {
	next, err := s.use(c)
	if next == nil || err != nil {
		return nil, err
	}
	i, known := s.findMember(c.Role, c.Name)
	m := Member{
		Role: c.Role, Name: c.Name, Addresses: c.Addresses, Epoch: 1,
		Key: c.Key, Token: c.TokenID, JoinedUnixMS: c.NowUnixMS,
	}
	if known {
		old := s.Members[i]
		t, _ := s.findToken(c.TokenID)
		if !old.Revoked && s.Tokens[t].Name != c.Name {
			return nil, fmt.Errorf("%[1]w: %[2]s %[3]s; to replace it, make a token for this name (mbctl token create --role %[2]s --name %[3]s) or revoke it first (mbctl member revoke --role %[2]s %[3]s)",
				ErrNameTaken, c.Role, c.Name)
		}
		m.Epoch = old.Epoch + 1
	}
	if err := s.free(c.Role, c.Name, c.Addresses); err != nil {
		return nil, err
	}
	next.Members = slices.Clone(s.Members)
	if known {
		next.Members[i] = m
		return next, nil
	}
	if len(next.Members) >= MaxMembers {
		// A name whose certificates are all over need not be remembered.
		next.Members = slices.DeleteFunc(next.Members, func(m Member) bool {
			return m.Revoked && c.NowUnixMS-m.RevokedUnixMS > identity.PersonLife.Milliseconds()
		})
	}
	if len(next.Members) >= MaxMembers {
		return nil, fmt.Errorf("%w: %d names were admitted; revoke those that are gone (mbctl member revoke)", ErrFull, len(s.Members))
	}
	i, _ = next.findMember(c.Role, c.Name)
	next.Members = slices.Insert(next.Members, i, m)
	return next, nil
}

func (s *State) readdress(c *Readdress) (*State, error) {
	i, known := s.findMember(c.Role, c.Name)
	switch {
	case !known || s.Members[i].Revoked || s.Members[i].Epoch != c.Epoch:
		return nil, fmt.Errorf("%w: %s %s", identity.ErrRevoked, c.Role, c.Name)
	case slices.Equal(s.Members[i].Addresses, c.Addresses):
		return nil, nil
	}
	if err := s.free(c.Role, c.Name, c.Addresses); err != nil {
		return nil, err
	}
	next := *s
	next.Members = slices.Clone(s.Members)
	next.Members[i].Addresses = c.Addresses
	return &next, nil
}

// free says whether nobody else may speak for these addresses.
func (s *State) free(role, name string, addresses []netip.Addr) error {
	for _, m := range s.Members {
		if m.Revoked || m.Role == role && m.Name == name {
			continue
		}
		for _, a := range addresses {
			if slices.Contains(m.Addresses, a) {
				return fmt.Errorf("%[1]w: %[2]s is that of %[3]s %[4]s; if that one is gone: mbctl member revoke --role %[3]s %[4]s",
					ErrAddressTaken, a, m.Role, m.Name)
			}
		}
	}
	return nil
}

func (s *State) revoke(c *Revoke) (*State, error) {
	m, known := s.Member(c.Role, c.Name)
	switch {
	case !known:
		return nil, fmt.Errorf("%w: %s %s", ErrUnknown, c.Role, c.Name)
	case m.Revoked:
		return nil, nil
	}
	next := *s
	next.revokeMember(m, c.NowUnixMS)
	return &next, nil
}

// revokeMember changes s, which nobody has seen yet.
func (s *State) revokeMember(m Member, now int64) {
	i, _ := s.findMember(m.Role, m.Name)
	s.Members = slices.Clone(s.Members)
	m.Revoked, m.RevokedUnixMS = true, now
	m.Epoch++
	m.Addresses = nil
	s.Members[i] = m
	if m.Role != identity.Agent.String() {
		return
	}
	if h, known := s.find(m.Name); known {
		s.Hosts = slices.Delete(slices.Clone(s.Hosts), h, h+1)
	}
}
