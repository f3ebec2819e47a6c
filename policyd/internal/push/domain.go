// SPDX-License-Identifier: Apache-2.0

package push

import (
	"fmt"
	"net/netip"
	"slices"

	"mbchain/policy"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// Domain is a state worked out. It is shared and read-only; what it remembers of what
// was worked out further takes care of itself.
type Domain struct {
	State  *store.State
	Policy *policy.Policy // without rules when none was ever applied
	Seed   policy.Seed
	Owners map[netip.Addr]string // host by address

	addresses []string // of all hosts, in the order of their names
	parts     *parts   // of Policy
	past      *past    // of the policies before it
	made      *subpolicies
}

// newDomain works out a state; old may be nil.
func newDomain(state *store.State, old *Domain) (*Domain, error) {
	d := &Domain{State: state, Policy: &policy.Policy{}, made: &subpolicies{}}
	var err error
	if d.Seed, err = policy.SeedFromBytes(state.Seed); err != nil {
		return nil, err
	}
	switch {
	case old != nil && old.State.Policy == state.Policy:
		d.Policy, d.parts, d.past = old.Policy, old.parts, old.past
	case state.Policy.Version != 0:
		// It was found right when it was applied, perhaps by another version
		// of policyd.
		if d.Policy, err = policy.Parse(state.Policy.Source); err != nil {
			return nil, fmt.Errorf("parse policy version %d: %w", state.Policy.Version, err)
		}
	}
	if d.parts == nil {
		d.parts, d.past = newParts(d.Policy), &past{}
	}
	for _, k := range state.Keys {
		d.made.keys = append(d.made.keys, &proto.SetupKey{Id: k.ID, Secret: k.Secret})
	}
	if old != nil && sameAddresses(old.State.Hosts, state.Hosts) {
		d.Owners, d.addresses = old.Owners, old.addresses
		d.made.like.Store(old.made.like.Load())
		return d, nil
	}
	d.Owners = make(map[netip.Addr]string, len(state.Hosts))
	for _, h := range state.Hosts {
		for _, a := range h.Addresses {
			d.Owners[a] = h.Name
			d.addresses = append(d.addresses, a.String())
		}
	}
	return d, nil
}

// sameAddresses says whether hosts have the same names and addresses.
func sameAddresses(a, b []store.Host) bool {
	return slices.EqualFunc(a, b, func(a, b store.Host) bool {
		return a.Name == b.Name && slices.Equal(a.Addresses, b.Addresses)
	})
}
