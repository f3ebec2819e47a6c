// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"
)

// resolve finds the types that rules name, and checks the chains.
func (p *parser) resolve() {
	known := make([]string, 0, len(p.names))
	for _, t := range p.policy.Types {
		known = append(known, t.Name)
	}
	for i, r := range p.policy.Rules {
		for _, name := range p.places[i].chain {
			t, ok := p.names[name.text]
			if !ok {
				p.errorf(name.position, "NF type %s is not declared%s", name, p.suggestType(name.text, known))
				continue
			}
			r.Chain = append(r.Chain, t)
		}
		if len(r.Chain) == len(p.places[i].chain) {
			p.checkLoop(r, p.places[i].chain)
		}
	}
}

func (p *parser) suggestType(name string, known []string) string {
	if s := didYouMean(name, known); s != "" {
		return s
	}
	return fmt.Sprintf("; add a line: type %s { ADDRESS }", name)
}

// checkLoop reports a chain that no session can pass: two of its types have
// one instance each, on the same host, and a type between them is never on
// that host.
func (p *parser) checkLoop(r *Rule, names []token) {
	for i, left := range r.Chain {
		host, ok := left.onlyHost()
		if !ok {
			continue
		}
		away := -1 // position of a type that leads away from the host
		for j := i + 1; j < len(r.Chain); j++ {
			right := r.Chain[j]
			if other, ok := right.onlyHost(); ok && other == host && away >= 0 {
				p.errorf(names[j].position,
					"the chain comes back to %s: %q and %q have no other instance and %q lies between them; reorder the chain or add an instance",
					host, left.Name, right.Name, r.Chain[away].Name)
				return
			}
			if !right.has(host) {
				away = j
			}
		}
	}
}

// onlyHost returns the address of the type's instance if it has just one.
func (t *Type) onlyHost() (netip.Addr, bool) {
	if len(t.Instances) != 1 {
		return netip.Addr{}, false
	}
	return t.Instances[0].Address, t.Instances[0].Address.IsValid()
}

// has reports whether an instance of the type is on this host.
func (t *Type) has(host netip.Addr) bool {
	return slices.ContainsFunc(t.Instances, func(in Instance) bool { return in.Address == host })
}

// checkSize makes sure that the compiled policy fits into the kernel, and with
// it every host's part.
func (p *parser) checkSize() error {
	if _, err := Compile(p.policy.Predicates()); err != nil {
		return Errors{diagnose(p.lex.source, position{line: 1}, err.Error()+"; use fewer terms")}
	}
	return nil
}
