// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"

	"mbchain/chain"
)

// LoopError says that a session cannot be set up because its path would visit
// a host twice (MBC_REASON_CHAIN_LOOP). Whether it gets another path under
// another port is up to the weights.
type LoopError struct {
	Host netip.Addr
	Type string // of the second visit; empty for the server
}

// Error names the host.
func (e *LoopError) Error() string {
	if e.Type == "" {
		return fmt.Sprintf("the path comes back to %s, the server", e.Host)
	}
	return fmt.Sprintf("the path comes back to %s for %q", e.Host, e.Type)
}

// NoInstanceError says that a session cannot be set up because a type of its
// chain has no instance with an address of the session's family
// (MBC_REASON_NO_INSTANCE).
type NoInstanceError struct {
	Type   string
	Family chain.Family
	Out    bool // it has some, which get no new sessions: see [Policy.Choosing]
}

// Error names the type.
func (e *NoInstanceError) Error() string {
	if e.Out {
		return fmt.Sprintf("no instance of NF type %q gets new sessions over %v", e.Type, e.Family)
	}
	return fmt.Sprintf("NF type %q has no instance with an %v address", e.Type, e.Family)
}

// BuildPath returns the hosts that a session passes right of its client, the
// server last if it joins, given the instance chosen for each type of the chain.
// Neighbours on one host become one hop. A server joins if it runs mbchain. It returns a [*NoInstanceError] when
// a type has no instance for the session, and a [*LoopError] when a host would
// be visited twice or an instance is the client itself. The tuple has a
// family.
//
// mbc_path_build() in kmod/path.c computes the same.
func BuildPath(seed Seed, types []*Type, super chain.FiveTuple, serverJoins bool) ([]netip.Addr, error) {
	return buildPath(seed, types, super, serverJoins, beside{})
}

// BuildPathBeside returns what [BuildPath] does for a session that passes hosts
// already, right of its client. Where it cannot be said beforehand which instance of
// a type a session gets ([InTurn]), or another one would be right in a moment
// ([LeastLoaded]), it is one that it passes, as far as there is one in the order of the
// chain. It begins at a host of a name, for which the policy server may have decided.
func BuildPathBeside(seed Seed, types []*Type, super chain.FiveTuple, serverJoins bool, from string, passes []netip.Addr) ([]netip.Addr, error) {
	return buildPath(seed, DecidedFor(types, seed, from), super, serverJoins, beside{passes: passes})
}

// BuildPathKeeping is [BuildPathBeside] where a session keeps, of any type, the instance
// that it passes, as long as the type has it.
func BuildPathKeeping(seed Seed, types []*Type, super chain.FiveTuple, serverJoins bool, from string, passes []netip.Addr) ([]netip.Addr, error) {
	return buildPath(seed, DecidedFor(types, seed, from), super, serverJoins, beside{passes: passes, keep: types})
}

// beside is what a path is built beside.
type beside struct {
	passes []netip.Addr // hosts that the session passes
	keep   []*Type      // with all instances that it may keep; nil: only where it has to
}

func buildPath(seed Seed, types []*Type, super chain.FiveTuple, serverJoins bool, b beside) ([]netip.Addr, error) {
	passes := b.passes
	hops := make([]netip.Addr, 0, len(types)+1)
	for i, t := range types {
		host := Choose(seed, t, i, super).Address
		if may := t; b.keep != nil || !t.Lasting(super.Family()) {
			if b.keep != nil {
				may = b.keep[i]
			}
			host = may.stay(host, super.Family(), hops, passes)
		}
		if i := slices.Index(passes, host); i >= 0 {
			passes = passes[i+1:]
		}
		if !host.IsValid() {
			return nil, &NoInstanceError{Type: t.Name, Family: super.Family(), Out: len(t.leftOut(super.Family())) > 0}
		}
		if err := visit(&hops, host, t.Name, super); err != nil {
			return nil, err
		}
	}
	middle := len(hops)
	if err := visit(&hops, super.Destination.Addr(), "", super); err != nil {
		return nil, err
	}
	if !serverJoins {
		return hops[:middle], nil
	}
	return hops, nil
}

// stay returns the first of the hosts that a session passes farther on which is an
// instance of the type, or else the last of its hops so far if that is one, or else
// host.
func (t *Type) stay(host netip.Addr, f chain.Family, hops, passes []netip.Addr) netip.Addr {
	if n := len(hops); n > 0 {
		passes = append(slices.Clone(passes), hops[n-1])
	}
	instances := t.instancesFor(f)
	i := slices.IndexFunc(passes, func(a netip.Addr) bool {
		return slices.ContainsFunc(instances, func(in Instance) bool { return in.addressFor(f) == a })
	})
	if i < 0 {
		return host
	}
	return passes[i]
}

func visit(hops *[]netip.Addr, host netip.Addr, typeName string, super chain.FiveTuple) error {
	switch n := len(*hops); {
	case n > 0 && (*hops)[n-1] == host:
	case host == super.Source.Addr(), slices.Contains(*hops, host):
		return &LoopError{Host: host, Type: typeName}
	default:
		*hops = append(*hops, host)
	}
	return nil
}
