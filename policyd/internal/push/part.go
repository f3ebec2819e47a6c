// SPDX-License-Identifier: Apache-2.0

package push

import (
	"encoding/binary"
	"net/netip"
	"sync"

	"mbchain/policy"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// part is what hosts need of a policy, but for the instances of its types, which follow
// from how they stand. Hosts that need the same share one. It is read-only.
type part struct {
	types   []string // their names, which rules number
	decided bool     // policyd decides for each host which instance of one of them it has
	rules   []*proto.Rule
	guards  []*proto.Guard
}

// parts are those of one policy.
type parts struct {
	policy *policy.Policy
	texts  func() []string // of the predicates, by rule
	memo   memo[string, *part]
}

func newParts(p *policy.Policy) *parts {
	return &parts{policy: p, texts: sync.OnceValue(func() []string {
		texts := make([]string, len(p.Rules))
		for i, r := range p.Rules {
			texts[i] = r.Predicate.String()
		}
		return texts
	})}
}

// of returns the part of a host.
func (p *parts) of(host store.Host) *part {
	split := p.policy.Whole()
	if !host.Gateway {
		split = p.policy.Split(host.Addresses)
	}
	guards := p.policy.Guards(host.Addresses)
	// Which rules and guards they are says all about them.
	var key []byte
	for _, r := range split.Rules {
		key = binary.AppendUvarint(key, uint64(r.Number))
	}
	key = append(key, 0) // no rule has this number
	for _, g := range guards {
		key = binary.AppendUvarint(key, uint64(g.Number))
	}
	return p.memo.get(string(key), func() *part { return p.write(split, guards) })
}

// write makes a part as it is pushed.
func (p *parts) write(split *policy.Subpolicy, guards []policy.Guard) *part {
	to := &part{}
	texts := p.texts()
	for _, g := range guards {
		text := ""
		if g.Number > 0 {
			text = texts[g.Number-1]
		} else {
			text = g.Predicate.String()
		}
		to.guards = append(to.guards, &proto.Guard{Number: uint32(g.Number), Predicate: text, Required: g.Required})
	}
	for _, t := range split.Types {
		to.types = append(to.types, t.Name)
		to.decided = to.decided || t.Decide == policy.ByServer
	}
	for _, r := range split.Rules {
		rule := &proto.Rule{
			Number:          uint32(r.Number),
			Predicate:       texts[r.Number-1],
			BypassOnFailure: r.OnFailure == policy.Bypass,
			SetUp:           setUps[r.SetUp],
		}
		for _, t := range r.Types {
			rule.Types = append(rule.Types, uint32(t))
		}
		to.rules = append(to.rules, rule)
	}
	return to
}

// instances writes types of a part: those by which new sessions of a host choose.
func (p *part) instances(chosen []*policy.Type) []*proto.NFType {
	byName := make(map[string]*policy.Type, len(chosen))
	for _, t := range chosen {
		byName[t.Name] = t
	}
	list := make([]*proto.NFType, len(p.types))
	for i, name := range p.types {
		t := byName[name]
		list[i] = &proto.NFType{Name: name, Choice: choices[t.Choose]}
		for _, in := range t.Instances {
			list[i].Instances = append(list[i].Instances, &proto.Instance{
				Address: addressText(in.Address), Address6: addressText(in.Address6), Weight: in.Weight, Name: in.Name,
			})
		}
	}
	return list
}

var choices = map[policy.Method]proto.Choice{
	policy.ByHash:      proto.Choice_CHOICE_HASH,
	policy.BySource:    proto.Choice_CHOICE_SOURCE,
	policy.InTurn:      proto.Choice_CHOICE_TURN,
	policy.LeastLoaded: proto.Choice_CHOICE_HASH, // of weights that follow the load
}

var setUps = map[policy.SetUp]proto.SetUpWay{
	policy.Auto:      proto.SetUpWay_SET_UP_WAY_AUTO,
	policy.InBand:    proto.SetUpWay_SET_UP_WAY_IN_BAND,
	policy.OutOfBand: proto.SetUpWay_SET_UP_WAY_OUT_OF_BAND,
}

// addressText writes an address, and none as the empty text.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
