// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"math"
	"net/netip"

	"golang.org/x/net/bpf"

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
	guards := make([]policy.Predicate, 0, len(sub.GetGuards()))
	for _, g := range sub.GetGuards() {
		predicate, err := policy.ParsePredicate(g.GetPredicate())
		if err != nil {
			return nil, inPart(err, "guard of rule %d", g.GetNumber())
		}
		p.Guards = append(p.Guards, genl.Guard{ID: g.GetNumber(), Required: g.GetRequired()})
		guards = append(guards, predicate)
	}
	for _, h := range sub.GetHosts() {
		addr, err := netip.ParseAddr(h)
		if err != nil {
			return nil, inPart(err, "host %q", h)
		}
		p.Hosts = append(p.Hosts, addr)
	}
	var err error
	if p.Programs, p.Programs6, err = programs(predicates); err != nil {
		return nil, err
	}
	if p.GuardPrograms, p.GuardPrograms6, err = programs(guards); err != nil {
		return nil, fmt.Errorf("guards: %w", err)
	}
	return p, nil
}

// programs compiles predicates for both families.
func programs(predicates []policy.Predicate) (four, six [][]bpf.RawInstruction, err error) {
	if four, err = policy.Compile(predicates); err != nil {
		return nil, nil, err
	}
	six, err = policy.Compile6(predicates)
	return four, six, err
}

func nfType(t *proto.NFType) (genl.Type, error) {
	out := genl.Type{Name: t.GetName()}
	var known bool
	if out.Choice, known = choices[t.GetChoice()]; !known {
		return genl.Type{}, fmt.Errorf("choice %v is of a newer policyd: upgrade this agentd", t.GetChoice())
	}
	for _, in := range t.GetInstances() {
		addr, err := address(in.GetAddress())
		if err != nil {
			return genl.Type{}, inPart(err, "instance %q", in.GetAddress())
		}
		addr6, err := address(in.GetAddress6())
		if err != nil {
			return genl.Type{}, inPart(err, "instance %q", in.GetAddress6())
		}
		out.Instances = append(out.Instances, genl.Instance{Addr: addr, Addr6: addr6, Weight: in.GetWeight()})
	}
	return out, nil
}

// address reads one of an instance's addresses, which may be empty.
func address(text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	return netip.ParseAddr(text)
}

var choices = map[proto.Choice]genl.Choice{
	proto.Choice_CHOICE_HASH:   genl.ByHash,
	proto.Choice_CHOICE_SOURCE: genl.BySource,
	proto.Choice_CHOICE_TURN:   genl.InTurn,
}

var setupWays = map[proto.SetUpWay]genl.SetupWay{
	proto.SetUpWay_SET_UP_WAY_AUTO:        genl.SetupAuto,
	proto.SetUpWay_SET_UP_WAY_IN_BAND:     genl.SetupInBand,
	proto.SetUpWay_SET_UP_WAY_OUT_OF_BAND: genl.SetupOutOfBand,
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
	var known bool
	if out.Setup, known = setupWays[r.GetSetUp()]; !known {
		return genl.Rule{}, nil, fmt.Errorf("set-up %v is of a newer policyd: upgrade this agentd", r.GetSetUp())
	}
	for _, t := range r.GetTypes() {
		if t > math.MaxUint16 {
			return genl.Rule{}, nil, fmt.Errorf("type number %d, there are at most %d", t, genl.MaxTypes)
		}
		out.Types = append(out.Types, uint16(t))
	}
	return out, predicate, nil
}
