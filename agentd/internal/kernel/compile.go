// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"math"
	"net/netip"

	"mbchain/genl"
	"mbchain/policy"
	"mbchain/proto"
)

// compile turns a subpolicy as policyd sends it into one that the module
// takes. What the module checks by itself is not checked here.
func compile(sub *proto.Subpolicy) (*genl.Policy, error) {
	if len(sub.GetSeed()) != genl.KeyLen {
		return nil, fmt.Errorf("seed has %d bytes instead of %d", len(sub.GetSeed()), genl.KeyLen)
	}
	p := &genl.Policy{Version: sub.GetVersion(), Seed: [genl.KeyLen]byte(sub.GetSeed())}
	for i, t := range sub.GetTypes() {
		out, err := nfType(t)
		if err != nil {
			return nil, inPart(err, "type %d (%q)", i, t.GetName())
		}
		p.Types = append(p.Types, out)
	}
	predicates := make([]policy.Predicate, 0, len(sub.GetRules()))
	for _, r := range sub.GetRules() {
		out, predicate, err := rule(r)
		if err != nil {
			return nil, inPart(err, "rule %d", r.GetNumber())
		}
		p.Rules = append(p.Rules, out)
		predicates = append(predicates, predicate)
	}
	for _, h := range sub.GetHosts() {
		addr, err := netip.ParseAddr(h)
		if err != nil {
			return nil, inPart(err, "host %q", h)
		}
		// The module's table of hosts is IPv4, and so is every session.
		if addr.Is4() {
			p.Hosts = append(p.Hosts, addr)
		}
	}
	var err error
	p.Programs, err = policy.Compile(predicates)
	return p, err
}

func nfType(t *proto.NFType) (genl.Type, error) {
	out := genl.Type{Name: t.GetName()}
	for _, in := range t.GetInstances() {
		addr, err := netip.ParseAddr(in.GetAddress())
		if err != nil {
			return genl.Type{}, inPart(err, "instance %q", in.GetAddress())
		}
		out.Instances = append(out.Instances, genl.Instance{Addr: addr, Weight: in.GetWeight()})
	}
	return out, nil
}

func rule(r *proto.Rule) (genl.Rule, policy.Predicate, error) {
	predicate, err := policy.ParsePredicate(r.GetPredicate())
	if err != nil {
		return genl.Rule{}, nil, err
	}
	out := genl.Rule{ID: r.GetNumber(), OnFailure: genl.Block}
	if r.GetBypassOnFailure() {
		out.OnFailure = genl.Bypass
	}
	for _, t := range r.GetTypes() {
		if t > math.MaxUint16 {
			return genl.Rule{}, nil, fmt.Errorf("type number %d, there are at most %d", t, genl.MaxTypes)
		}
		out.Types = append(out.Types, uint16(t))
	}
	return out, predicate, nil
}
