// SPDX-License-Identifier: Apache-2.0

package push

import (
	"net/netip"
	"slices"

	pb "google.golang.org/protobuf/proto"

	"mbchain/policy"
	"mbchain/proto"
)

// subpolicies makes the subpolicies of one host. It remembers the costly part,
// which stays the same when only the other hosts change.
type subpolicies struct {
	host      string
	addresses []netip.Addr
	gateway   bool
	policy    *policy.Policy
	chosen    *policy.Policy // that types are of
	names     []string       // of types
	types     []*proto.NFType
	rules     []*proto.Rule
	guards    []*proto.Guard
}

// of returns the host's part of d.
func (s *subpolicies) of(d *Domain) *proto.Subpolicy {
	if s.policy != d.Policy {
		s.split(d.Policy)
	}
	if s.chosen != d.Chosen {
		s.choose(d)
	}
	p := &proto.Subpolicy{
		Version: d.State.Policy.Version,
		Seed:    d.Seed[:],
		Types:   s.types,
		Rules:   s.rules,
		Guards:  s.guards,
		Hosts:   d.addresses,
	}
	for _, k := range d.State.Keys {
		p.Keys = append(p.Keys, &proto.SetupKey{Id: k.ID, Secret: k.Secret})
	}
	return p
}

func (s *subpolicies) split(p *policy.Policy) {
	s.policy, s.chosen, s.names, s.rules, s.guards = p, nil, nil, nil, nil
	for _, g := range p.Guards(s.addresses) {
		s.guards = append(s.guards, &proto.Guard{Number: uint32(g.Number), Predicate: g.Predicate.String(), Required: g.Required})
	}
	part := p.Split(s.addresses)
	if s.gateway {
		part = p.Whole()
	}
	for _, t := range part.Types {
		s.names = append(s.names, t.Name)
	}
	for _, r := range part.Rules {
		to := &proto.Rule{
			Number:          uint32(r.Number),
			Predicate:       r.Predicate.String(),
			BypassOnFailure: r.OnFailure == policy.Bypass,
			SetUp:           setUps[r.SetUp],
		}
		for _, t := range r.Types {
			to.Types = append(to.Types, uint32(t))
		}
		s.rules = append(s.rules, to)
	}
}

// choose makes the types anew of a policy that differs from the one that was split in
// nothing but the instances. It reports whether they have become others.
func (s *subpolicies) choose(d *Domain) (changed bool) {
	byName := make(map[string]*policy.Type, len(d.Chosen.Types))
	for _, t := range policy.DecidedFor(d.Chosen.Types, d.Seed, s.host) {
		byName[t.Name] = t
	}
	types := make([]*proto.NFType, len(s.names))
	for i, name := range s.names {
		t := byName[name]
		types[i] = &proto.NFType{Name: t.Name, Choice: choices[t.Choose]}
		for _, in := range t.Instances {
			types[i].Instances = append(types[i].Instances, &proto.Instance{
				Address: addressText(in.Address), Address6: addressText(in.Address6), Weight: in.Weight, Name: in.Name,
			})
		}
	}
	changed = !slices.EqualFunc(types, s.types, func(a, b *proto.NFType) bool { return pb.Equal(a, b) })
	s.chosen, s.types = d.Chosen, types
	return changed
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
