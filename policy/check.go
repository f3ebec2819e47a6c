// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"

	"mbchain/chain"
)

// resolve finds the types that rules name, and checks the chains.
func (p *parser) resolve() {
	p.resolveGroups()
	p.order()
	known := make([]string, 0, len(p.names))
	for _, t := range p.policy.Types {
		known = append(known, t.Name)
	}
	for i, r := range p.policy.Rules {
		p.expandRule(r, p.places[i].predicate)
		for _, name := range p.places[i].chain {
			if t := p.resolveType(name, known); t != nil {
				r.Chain = append(r.Chain, t)
			}
		}
		if len(r.Chain) == len(p.places[i].chain) && !slices.ContainsFunc(r.Chain, (*Type).broken) {
			p.checkChain(r, p.places[i].chain)
		}
		if len(r.Chain) == len(p.places[i].chain) {
			p.resolveClauses(r, p.places[i], known)
		}
	}
}

// resolveType returns the type of this name, or reports that there is none and
// returns nil.
func (p *parser) resolveType(name token, known []string) *Type {
	t := p.names[name.text]
	if t == nil {
		p.errorf(name.position, "NF type %s is not declared%s", name, p.suggestType(name.text, known))
	}
	return t
}

func (p *parser) suggestType(name string, known []string) string {
	if s := didYouMean(name, known); s != "" {
		return s
	}
	return fmt.Sprintf("; add a line: type %s { ADDRESS }", name)
}

// checkChain reports a chain that no session can pass, of whatever family.
func (p *parser) checkChain(r *Rule, names []token) {
	var why *dead
	for _, f := range families {
		found := deadEnd(r.Chain, f)
		if found == nil {
			return
		}
		// A loop can be mended here; that a family is not served at all
		// may be meant.
		if why == nil || why.loop == "" {
			why = found
		}
	}
	if why.loop != "" {
		p.errorf(names[why.at].position, "%s", why.loop)
		return
	}
	p.errorf(names[why.at].position, "no session can pass the chain: its NF types have no family of addresses in common; give instances of %q an %v address",
		r.Chain[why.at].Name, why.family)
}

// dead says why no session of a family can pass a chain.
type dead struct {
	at     int // position of the type in the chain
	family chain.Family
	loop   string // what to say of a loop; empty: the type does not serve the family
}

// deadEnd returns why no session of the family can pass the chain: a type has
// no instance for it; or two types have one instance each, on the same host,
// and a type between them is never on that host. It returns nil if neither is
// so.
func deadEnd(types []*Type, f chain.Family) *dead {
	for i, t := range types {
		if !t.serves(f) {
			return &dead{at: i, family: f}
		}
	}
	for i, left := range types {
		host, ok := left.onlyHost(f)
		if !ok {
			continue
		}
		away := -1 // position of a type that leads away from the host
		for j := i + 1; j < len(types); j++ {
			right := types[j]
			if other, ok := right.onlyHost(f); ok && other == host && away >= 0 {
				return &dead{at: j, family: f, loop: fmt.Sprintf(
					"the chain comes back to %s: %q and %q have no other instance and %q lies between them; reorder the chain or add an instance",
					host, left.Name, right.Name, types[away].Name)}
			}
			if !right.has(host) {
				away = j
			}
		}
	}
	return nil
}

// mayLoop returns a host to which some sessions of a family come back: it is an
// instance of two types, between which is one that leads away from it. It returns
// the positions of the three in the chain.
func mayLoop(types []*Type, f chain.Family) (host netip.Addr, left, away, right int, found bool) {
	for i, t := range types {
		for _, in := range t.instancesFor(f) {
			host := in.addressFor(f)
			away := -1
			for j := i + 1; j < len(types); j++ {
				if away >= 0 && types[j].has(host) {
					return host, i, away, j, true
				}
				if other, ok := types[j].onlyHost(f); !ok || other != host {
					away = j
				}
			}
		}
	}
	return netip.Addr{}, 0, 0, 0, false
}

// broken reports whether something of the type was wrong and is left out.
func (t *Type) broken() bool {
	return len(t.Instances) == 0 || slices.ContainsFunc(t.Instances, func(in Instance) bool {
		return !in.Address.IsValid() && !in.Address6.IsValid()
	})
}

// onlyHost returns the address of the type's instance if sessions of the
// family find just one.
func (t *Type) onlyHost(f chain.Family) (netip.Addr, bool) {
	instances := t.instancesFor(f)
	if len(instances) != 1 {
		return netip.Addr{}, false
	}
	return instances[0].addressFor(f), true
}

// has reports whether an instance of the type is on this host.
func (t *Type) has(host netip.Addr) bool {
	return slices.ContainsFunc(t.Instances, func(in Instance) bool { return in.Address == host || in.Address6 == host })
}

// checkSize makes sure that the compiled policy fits into the kernel, and with
// it every host's part. On the way it finds the rules that a session may match.
func (p *parser) checkSize() error {
	p.matches = make([]bool, len(p.policy.Rules))
	for _, f := range families {
		_, tree, err := compile(f, p.policy.Predicates())
		if err != nil {
			return Errors{diagnose(p.lex.source, position{line: 1}, err.Error()+"; use fewer terms")}
		}
		tree.mark(p.matches, map[*node]bool{})
	}
	return nil
}
