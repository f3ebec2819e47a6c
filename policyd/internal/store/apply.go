// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"net/netip"
	"slices"
)

// Apply returns the state after cmd, the log's entry number index. It returns
// s itself when nothing changes, and s with an error when cmd is refused.
func (s *State) Apply(index uint64, cmd Command) (*State, error) {
	var (
		next *State
		err  error
	)
	switch {
	case cmd.SetUp != nil:
		next = s.setUp(cmd.SetUp)
	case cmd.SetPolicy != nil:
		next, err = s.setPolicy(cmd.SetPolicy)
	case cmd.SetHost != nil:
		next, err = s.setHost(cmd.SetHost)
	case cmd.SetNode != nil:
		next, err = s.setNode(cmd.SetNode)
	case cmd.RemoveNode != nil:
		next = s.removeNode(cmd.RemoveNode)
	case cmd.Restore != nil:
		next = s.restore(index, cmd.Restore)
	case cmd.SetCA != nil:
		next = s.setCA(cmd.SetCA)
	case cmd.AddToken != nil:
		next, err = s.addToken(cmd.AddToken)
	case cmd.DropToken != nil:
		next = s.dropToken(cmd.DropToken)
	case cmd.Admit != nil:
		next, err = s.admit(cmd.Admit)
	case cmd.Readdress != nil:
		next, err = s.readdress(cmd.Readdress)
	case cmd.Revoke != nil:
		next, err = s.revoke(cmd.Revoke)
	case cmd.SetDrain != nil:
		next, err = s.setDrain(cmd.SetDrain)
	case cmd.SetKeys != nil:
		next, err = s.setKeys(index, cmd.SetKeys)
	}
	if err != nil || next == nil {
		return s, err
	}
	next.Index = index
	next.remember(cmd.Request)
	return next, nil
}

// Each of the following returns nil when nothing changes.

func (s *State) setUp(c *SetUp) *State {
	if s.IsSetUp() {
		return nil
	}
	next := *s
	next.Seed, next.Keys = c.Seed, c.Keys
	return &next
}

func (s *State) setCA(c *SetCA) *State {
	if len(s.CA) > 0 {
		return nil
	}
	next := *s
	next.CA = c.PEM
	return &next
}

func (s *State) setPolicy(c *SetPolicy) (*State, error) {
	running := s.Policy.Version
	if running != 0 && s.Policy.Source == c.Source {
		return nil, nil
	}
	if c.IfVersion != nil && *c.IfVersion != running {
		return nil, fmt.Errorf("%w: version %d runs, not %d", ErrVersion, running, *c.IfVersion)
	}
	next := *s
	next.History = s.withRunning()
	next.Policy = Policy{
		Version:       running + 1,
		Source:        c.Source,
		AppliedUnixMS: c.AppliedUnixMS,
		By:            c.By,
		RollbackOf:    c.RollbackOf,
	}
	return &next, nil
}

func (s *State) setHost(c *SetHost) (*State, error) {
	addresses := len(c.Host.Addresses)
	hosts := make([]Host, 0, len(s.Hosts)+1)
	changed := true
	for _, h := range s.Hosts {
		if h.Name == c.Host.Name {
			changed = !h.Same(c.Host)
			continue
		}
		kept, err := h.without(c)
		if err != nil {
			return nil, err
		}
		addresses += len(kept.Addresses)
		if len(kept.Addresses) > 0 {
			hosts = append(hosts, kept)
		}
	}
	// No host shares an address with one that is already known as it is.
	if !changed {
		return nil, nil
	}
	if len(hosts) >= MaxHosts {
		return nil, fmt.Errorf("%w: %d hosts are known", ErrFull, len(hosts))
	}
	if addresses > MaxAddresses {
		return nil, fmt.Errorf("%w: hosts may have %d addresses together", ErrFull, MaxAddresses)
	}
	next := *s
	next.Hosts = hosts
	i, _ := next.find(c.Host.Name)
	next.Hosts = slices.Insert(hosts, i, c.Host)
	return &next, nil
}

// without returns h with the addresses that c leaves to it.
func (h Host) without(c *SetHost) (Host, error) {
	taken := func(a netip.Addr) bool { return slices.Contains(c.Host.Addresses, a) }
	i := slices.IndexFunc(h.Addresses, taken)
	if i < 0 {
		return h, nil
	}
	if !slices.Contains(c.Replaces, h.Name) {
		return Host{}, fmt.Errorf("%w: %s is that of host %s", ErrAddressTaken, h.Addresses[i], h.Name)
	}
	h.Addresses = slices.DeleteFunc(slices.Clone(h.Addresses), taken)
	return h, nil
}
