// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"net/netip"
	"slices"
	"syscall"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

func (k *Kernel) policyBegin(s *socket, b []byte, _ bool) ([][]byte, error) {
	var (
		p             genl.Policy
		version, seed bool
	)
	err := parse(b, attrs{
		uapi.PolicyAttrVersion: seen(&version, number(&p.Version)),
		uapi.PolicyAttrSeed:    seen(&seed, exactly(p.Seed[:])),
	})
	if err != nil {
		return nil, err
	}
	if !version || !seed {
		return nil, refusal{syscall.EINVAL, "policy without version or seed"}
	}
	if k.loader != nil && k.loader != s {
		return nil, refusal{syscall.EBUSY, "another socket is loading a policy"}
	}
	k.loader, k.loading = s, &p
	return nil, nil
}

func (k *Kernel) policyAdd(s *socket, b []byte, _ bool) ([][]byte, error) {
	if k.loader != s {
		return nil, refusal{syscall.ENOENT, "no policy was begun on this socket"}
	}
	p := *k.loading // appending to the copy changes nothing in the original
	hosts := make(map[chain.Family]int)
	for _, h := range p.Hosts {
		hosts[chain.FamilyOf(h)]++
	}
	err := parse(b, attrs{
		uapi.PolicyAttrType:  nested(func() (attrs, func() error) { return parseType(&p) }),
		uapi.PolicyAttrRule:  nested(func() (attrs, func() error) { return parseRule(&p) }),
		uapi.PolicyAttrProg:  parseProgram(&p.Programs),
		uapi.PolicyAttrProg6: parseProgram(&p.Programs6),

		uapi.PolicyAttrGuard:      nested(func() (attrs, func() error) { return parseGuard(&p) }),
		uapi.PolicyAttrGuardProg:  parseProgram(&p.GuardPrograms),
		uapi.PolicyAttrGuardProg6: parseProgram(&p.GuardPrograms6),

		uapi.PolicyAttrHost4: parseHost(&p, hosts, addr4),
		uapi.PolicyAttrHost6: parseHost(&p, hosts, addr6),
	})
	if err != nil {
		return nil, err
	}
	*k.loading = p
	return nil, nil
}

func parseType(p *genl.Policy) (attrs, func() error) {
	var t genl.Type
	instance := nested(func() (attrs, func() error) {
		var inst genl.Instance
		return attrs{
				uapi.InstanceAttrAddr4:  addr4(&inst.Addr),
				uapi.InstanceAttrAddr6:  addr6(&inst.Addr6),
				uapi.InstanceAttrWeight: inRange(1, 65535, func(v uint32) { inst.Weight = v }),
			}, func() error {
				if !inst.Addr.IsValid() && !inst.Addr6.IsValid() || inst.Weight == 0 {
					return refusal{syscall.EINVAL, "instance without address or weight"}
				}
				t.Instances = append(t.Instances, inst)
				return nil
			}
	})
	return attrs{
			uapi.TypeAttrName:     text(&t.Name, genl.MaxTypeName),
			uapi.TypeAttrInstance: instance,
			uapi.TypeAttrChoice:   inRange(0, uint8(genl.InTurn), func(v uint8) { t.Choice = genl.Choice(v) }),
		}, func() error {
			switch {
			case t.Name == "":
				return refusal{syscall.EINVAL, "type without a name"}
			case len(t.Instances) > genl.MaxInstances:
				return refusal{syscall.E2BIG, "too many instances"}
			case len(p.Types) == genl.MaxTypes:
				return refusal{syscall.E2BIG, "too many types"}
			}
			p.Types = append(p.Types, t)
			return nil
		}
}

func parseRule(p *genl.Policy) (attrs, func() error) {
	var (
		r                    genl.Rule
		id, onFailure, types bool
	)
	return attrs{
			uapi.RuleAttrID: seen(&id, number(&r.ID)),
			uapi.RuleAttrOnFailure: seen(&onFailure, inRange(0, uint8(genl.Bypass), func(v uint8) {
				r.OnFailure = genl.OnFailure(v)
			})),
			uapi.RuleAttrTypes: seen(&types, numbers16(&r.Types, genl.MaxHops-1)),
			uapi.RuleAttrSetup: inRange(0, uint8(genl.SetupOutOfBand), func(v uint8) { r.Setup = genl.SetupWay(v) }),
		}, func() error {
			if !id || !onFailure || !types {
				return refusal{syscall.EINVAL, "rule without id, on-failure or types"}
			}
			for _, t := range r.Types {
				if int(t) >= len(p.Types) {
					return refusal{syscall.EINVAL, "rule names a type that is not there"}
				}
			}
			if len(p.Rules) == genl.MaxRules {
				return refusal{syscall.E2BIG, "too many rules"}
			}
			p.Rules = append(p.Rules, r)
			return nil
		}
}

func parseGuard(p *genl.Policy) (attrs, func() error) {
	var (
		g  genl.Guard
		id bool
	)
	return attrs{
			uapi.GuardAttrID:       seen(&id, number(&g.ID)),
			uapi.GuardAttrRequired: flag(&g.Required),
		}, func() error {
			switch {
			case !id:
				return refusal{syscall.EINVAL, "guard without id"}
			case len(p.Guards) == genl.MaxRules:
				return refusal{syscall.E2BIG, "too many guards"}
			}
			p.Guards = append(p.Guards, g)
			return nil
		}
}

func parseProgram(programs *[][]bpf.RawInstruction) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		var prog []bpf.RawInstruction
		if err := program(&prog, genl.MaxInstructions)(a); err != nil {
			return err
		}
		if len(*programs) == genl.MaxPrograms {
			return refusal{syscall.E2BIG, "too many programs"}
		}
		if leadsBack(prog, uint32(len(*programs))) {
			return refusal{syscall.ELOOP, "program leads to one before it or to itself"}
		}
		*programs = append(*programs, prog)
		return nil
	}
}

// leadsBack reports whether one of the constants that a program of an index
// returns names a program that does not come after it.
func leadsBack(prog []bpf.RawInstruction, index uint32) bool {
	return slices.ContainsFunc(prog, func(ins bpf.RawInstruction) bool {
		return ins.Op == unix.BPF_RET|unix.BPF_K && ins.K&uapi.AnswerGo != 0 &&
			ins.K&^uapi.AnswerGo>>uapi.AnswerShift <= index
	})
}

func parseHost(p *genl.Policy, known map[chain.Family]int, read func(*netip.Addr) func(netlink.Attribute) error) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		var host netip.Addr
		if err := read(&host)(a); err != nil {
			return err
		}
		f := chain.FamilyOf(host)
		if known[f] == genl.MaxHosts {
			return refusal{syscall.E2BIG, "too many hosts"}
		}
		known[f]++
		p.Hosts = append(p.Hosts, host)
		return nil
	}
}

func (k *Kernel) policyCommit(s *socket, b []byte, _ bool) ([][]byte, error) {
	var (
		version uint64
		given   bool
	)
	if err := parse(b, attrs{uapi.PolicyAttrVersion: seen(&given, number(&version))}); err != nil {
		return nil, err
	}
	switch {
	case k.loader != s:
		return nil, refusal{syscall.ENOENT, "no policy was begun on this socket"}
	case !given || version != k.loading.Version:
		return nil, refusal{syscall.EINVAL, "not the version that was begun"}
	}
	k.policy, k.hits = k.loading, make([]uint64, len(k.loading.Rules))
	k.loader, k.loading = nil, nil
	k.multicast(uapi.CmdEventPolicy, encodePolicyVersion(version))
	return nil, nil
}

func (k *Kernel) getPolicy(_ *socket, b []byte, _ bool) ([][]byte, error) {
	if err := parse(b, nil); err != nil {
		return nil, err
	}
	return [][]byte{k.encodePolicy()}, nil
}

func (k *Kernel) getRule(_ *socket, b []byte, dump bool) ([][]byte, error) {
	if !dump {
		return nil, refusal{errno: syscall.EOPNOTSUPP}
	}
	if err := parse(b, nil); err != nil || k.policy == nil {
		return nil, err
	}
	var bodies [][]byte
	for i, r := range k.policy.Rules {
		bodies = append(bodies, encodeRule(r, k.hits[i]))
	}
	return bodies, nil
}
