// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"net/netip"
	"slices"

	"mbchain/chain"
)

// Guard is a rule as the server's host needs it, to tell what has to come through a
// chain from what need not.
type Guard struct {
	Number    int // of the rule; 0: of none
	Predicate Predicate
	Required  bool // what did not come through its chain is dropped
}

// Ports on which agents and policyd listen unless they are told otherwise.
const (
	AgentPort   = 7300 // UDP
	PolicydPort = 7400 // TCP
)

// Guards returns the rules for sessions whose server has one of these addresses, in
// their order, as far as one that is required comes after them or is among them; none
// if none is. The first says that what agents and policyd say to each other need not
// come through a chain: chains are set up by it. A rule with an empty chain requires
// nothing.
func (p *Policy) Guards(addresses []netip.Addr) []Guard {
	if !slices.ContainsFunc(p.Rules, (*Rule).required) {
		return nil
	}
	// What sessions are left for the rules to come, by server address.
	var left []region
	for _, a := range addresses {
		if f := chain.FamilyOf(a); f != 0 {
			left = append(left, everywhere(f).with(DstIP, addrValue(a), addrValue(a)))
		}
	}
	guards := []Guard{{Predicate: Or{
		And{Protocol(chain.ProtocolUDP), Port{Field: DstPort, Low: AgentPort, High: AgentPort}},
		And{Protocol(chain.ProtocolTCP), Port{Field: DstPort, Low: PolicydPort, High: PolicydPort}},
	}}}
	last := 0 // how many there are up to the last one that is required
	for _, r := range p.Rules {
		if !slices.ContainsFunc(left, func(to region) bool { return canHold(r.Predicate, to) }) {
			continue
		}
		guards = append(guards, Guard{Number: r.Number, Predicate: r.Predicate, Required: r.required()})
		if r.required() {
			last = len(guards)
		}
		left = slices.DeleteFunc(left, func(to region) bool {
			a, _ := ask(r.Predicate, to)
			return a == yes
		})
	}
	return guards[:last]
}

func (r *Rule) required() bool { return r.Enforce == Required && len(r.Chain) > 0 }
