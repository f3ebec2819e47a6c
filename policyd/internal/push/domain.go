// SPDX-License-Identifier: Apache-2.0

package push

import (
	"fmt"
	"net/netip"

	"mbchain/policy"
	"mbchain/policyd/internal/health"
	"mbchain/policyd/internal/store"
)

// Domain is a state worked out. It is shared and read-only.
type Domain struct {
	State  *store.State
	Policy *policy.Policy // as written; without rules when none was ever applied
	Chosen *policy.Policy // by which new sessions choose: Policy without who is not fit for them
	Seed   policy.Seed
	Owners map[netip.Addr]string // host by address

	addresses  []string // of all hosts, in the order of their names
	isInstance map[string]bool
	verdicts   map[string]health.Verdict // of hosts that are instances, as of the last look
}

// newDomain works out a state; old may be nil.
func newDomain(state *store.State, old *Domain) (*Domain, error) {
	d := &Domain{State: state, Policy: &policy.Policy{}}
	var err error
	if d.Seed, err = policy.SeedFromBytes(state.Seed); err != nil {
		return nil, err
	}
	switch {
	case old != nil && old.State.Policy == state.Policy:
		d.Policy = old.Policy
	case state.Policy.Version != 0:
		// It was found right when it was applied, perhaps by another version
		// of policyd.
		if d.Policy, err = policy.Parse(state.Policy.Source); err != nil {
			return nil, fmt.Errorf("parse policy version %d: %w", state.Policy.Version, err)
		}
	}
	d.Owners = make(map[netip.Addr]string, len(state.Hosts))
	for _, h := range state.Hosts {
		for _, a := range h.Addresses {
			d.Owners[a] = h.Name
			d.addresses = append(d.addresses, a.String())
		}
	}
	d.isInstance = d.instances()
	if old != nil {
		d.verdicts = old.verdicts
	}
	d.Chosen = d.Choosing(d.Policy)
	if old != nil && old.Policy == d.Policy && policy.SameChoice(old.Chosen, d.Chosen) {
		d.Chosen = old.Chosen
	}
	return d, nil
}
