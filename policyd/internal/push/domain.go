// SPDX-License-Identifier: Apache-2.0

package push

import (
	"fmt"
	"net/netip"
	"slices"

	"mbchain/policy"
	"mbchain/policyd/internal/health"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// Domain is a state worked out. It is shared and read-only; what it remembers of what
// was worked out further takes care of itself.
type Domain struct {
	State  *store.State
	Policy *policy.Policy // as written; without rules when none was ever applied
	Chosen *policy.Policy // by which new sessions choose: Policy without who is not fit for them
	Seed   policy.Seed
	Owners map[netip.Addr]string // host by address

	addresses  []string // of all hosts, in the order of their names
	parts      *parts   // of Policy
	past       *past    // of the policies before it
	made       *subpolicies
	isInstance map[string]bool
	verdicts   map[string]health.Verdict // of hosts that are instances, as of the last look
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
	d.hosts(old)
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

// hosts takes down whose addresses are which.
func (d *Domain) hosts(old *Domain) {
	if old != nil && sameAddresses(old.State.Hosts, d.State.Hosts) {
		d.Owners, d.addresses = old.Owners, old.addresses
		d.made.like.Store(old.made.like.Load())
		return
	}
	d.Owners = make(map[netip.Addr]string, len(d.State.Hosts))
	for _, h := range d.State.Hosts {
		for _, a := range h.Addresses {
			d.Owners[a] = h.Name
			d.addresses = append(d.addresses, a.String())
		}
	}
}

// sameAddresses says whether hosts have the same names and addresses.
func sameAddresses(a, b []store.Host) bool {
	return slices.EqualFunc(a, b, func(a, b store.Host) bool {
		return a.Name == b.Name && slices.Equal(a.Addresses, b.Addresses)
	})
}
