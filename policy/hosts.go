// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// Host is a host that runs an agent, as far as a policy may be compared with it.
type Host struct {
	Name      string
	Addresses []netip.Addr // under which other hosts reach it
	NFTypes   []string     // that it says it offers; empty: it says nothing
}

// CheckHosts compares the instances of types that rules use with the hosts there
// are, and returns what is odd as warnings, MaxErrors and one at most: an instance
// that no host can reach as it is declared, for it is under an address that no host
// has, or under addresses of two hosts; and a host that offers other types.
func (p *Policy) CheckHosts(hosts []Host) []Diagnostic {
	c := hostChecker{policy: p, owners: map[netip.Addr]*Host{}}
	for i := range hosts {
		for _, a := range hosts[i].Addresses {
			c.owners[a] = &hosts[i]
		}
	}
	used := map[*Type]bool{}
	for _, r := range p.Rules {
		for _, t := range slices.Concat(r.Chain, r.MayInsert) {
			used[t] = true
		}
	}
	for _, t := range p.Types {
		if used[t] {
			for _, in := range t.Instances {
				c.instance(t, in)
			}
		}
	}
	return c.found
}

type hostChecker struct {
	policy *Policy
	owners map[netip.Addr]*Host
	found  []Diagnostic
}

func (c *hostChecker) warn(document string, line int, format string, args ...any) {
	switch n := len(c.found); {
	case n < MaxErrors:
		c.found = append(c.found, Diagnostic{Document: document, Line: line, Column: 1, Width: 1, Warning: true,
			Message: fmt.Sprintf(format, args...)})
	case n == MaxErrors:
		c.found = append(c.found, Diagnostic{Document: document, Line: line, Column: 1, Width: 1, Warning: true,
			Message: fmt.Sprintf("more warnings about hosts follow; the first %d are shown", MaxErrors)})
	}
}

// instance compares an instance with the host under its addresses.
func (c *hostChecker) instance(t *Type, in Instance) {
	var owner *Host
	for _, f := range families {
		a := in.addressFor(f)
		host := c.owners[a]
		switch {
		case !a.IsValid():
		case host == nil:
			c.warn(t.Document, t.Line, "%s of NF type %q is on no host that is known: start agentd there with --address %s, or correct the address",
				in.label(f), t.Name, a)
		case owner != nil && owner != host:
			c.warn(t.Document, t.Line, "%s of NF type %q is two hosts: %s has the one address and %s the other; make two instances of it",
				in, t.Name, owner.Name, host.Name)
		default:
			owner = host
		}
	}
	if owner != nil && len(owner.NFTypes) > 0 && !slices.Contains(owner.NFTypes, t.Name) {
		c.warn(t.Document, t.Line, "host %s does not offer NF type %q: start its agentd with --nf-type %s, or take it out of the type",
			owner.Name, t.Name, t.Name)
	}
}
