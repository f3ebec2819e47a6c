// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"mbchain/genl"
	"mbchain/genl/genlfake"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/bpf"
)

func TestLoadPolicy(t *testing.T) {
	tests := []struct {
		name   string
		change func(p *genl.Policy)
	}{
		{"small", func(*genl.Policy) {}},
		{"empty", func(p *genl.Policy) { *p = genl.Policy{Version: 1} }},
		{"many rules", func(p *genl.Policy) { p.Rules = policy(5000).Rules }},
		{"longest program", func(p *genl.Policy) {
			long := make([]bpf.RawInstruction, genl.MaxInstructions)
			for i := range long {
				long[i] = bpf.RawInstruction{Op: 6, Jt: 1, Jf: 2, K: uint32(i)}
			}
			p.Programs = [][]bpf.RawInstruction{long, long, long[:1]}
		}},
		{"both families", func(p *genl.Policy) {
			p.Types[0].Instances[0].Addr6 = netip.MustParseAddr("fd00::2")
			p.Types[1].Instances[0] = genl.Instance{Addr6: netip.MustParseAddr("fd00::3"), Weight: 9}
			p.Programs6 = [][]bpf.RawInstruction{{{Op: 6, K: 2}}, {{Op: 6, K: 3}}}
			p.Hosts = append(p.Hosts, netip.MustParseAddr("fd00::1"), netip.MustParseAddr("10.0.0.5"))
		}},
		{"most instances", func(p *genl.Policy) {
			for i := len(p.Types[0].Instances); i < genl.MaxInstances; i++ {
				p.Types[0].Instances = append(p.Types[0].Instances, genl.Instance{
					Addr: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), Weight: 1,
				})
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kernel, client := fake(t)
			want := policy(3)
			tt.change(want)
			if err := client.LoadPolicy(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, kernel.Policy(), equateAddrs, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
			info, err := client.Policy(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			wantInfo := &genl.PolicyInfo{
				Version:  want.Version,
				Seed:     want.Seed,
				Types:    uint32(len(want.Types)),
				Rules:    uint32(len(want.Rules)),
				Programs: uint32(len(want.Programs) + len(want.Programs6)),
				Hosts:    uint32(len(want.Hosts)),
			}
			if diff := cmp.Diff(wantInfo, info); diff != "" {
				t.Errorf("Policy (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadPolicyRefuses(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::1")
	tests := []struct {
		name   string
		change func(p *genl.Policy)
		want   error
		says   string
	}{
		{"loopback host", func(p *genl.Policy) { p.Hosts[0] = netip.IPv6Loopback() }, genl.ErrInvalid, "not the address of a host"},
		{"mapped host", func(p *genl.Policy) { p.Hosts[0] = netip.MustParseAddr("::ffff:10.0.0.1") }, genl.ErrInvalid, "host: ::ffff:10.0.0.1"},
		{"host with a zone", func(p *genl.Policy) { p.Hosts[0] = netip.MustParseAddr("fd00::1%eth0") }, genl.ErrInvalid, "host: fd00::1%eth0"},
		{"IPv6 for IPv4", func(p *genl.Policy) { p.Types[1].Instances[0].Addr = v6 }, genl.ErrInvalid, `type 1 "ids": 2001:db8::1 is not an IPv4 address`},
		{"IPv4 for IPv6", func(p *genl.Policy) { p.Types[1].Instances[0].Addr6 = p.Types[1].Instances[0].Addr }, genl.ErrInvalid, "10.0.0.3 is not an IPv6 address"},
		{"instance without address", func(p *genl.Policy) { p.Types[1].Instances[0].Addr = netip.Addr{} }, genl.ErrInvalid, `type 1 "ids": invalid IP`},
		{"IPv6 program too long", func(p *genl.Policy) {
			p.Programs6 = [][]bpf.RawInstruction{make([]bpf.RawInstruction, genl.MaxInstructions+1)}
		}, genl.ErrTooBig, "IPv6 program 0: 4097 instructions"},
		{"no address", func(p *genl.Policy) { p.Hosts[0] = netip.Addr{} }, genl.ErrInvalid, "host: invalid IP"},
		{"program too long", func(p *genl.Policy) {
			p.Programs[0] = make([]bpf.RawInstruction, genl.MaxInstructions+1)
		}, genl.ErrTooBig, "program 0: 4097 instructions"},
		{"unknown type", func(p *genl.Policy) { p.Rules[1].Types = []uint16{2} }, genl.ErrInvalid, "names a type"},
		{"weight", func(p *genl.Policy) { p.Types[0].Instances[0].Weight = 65536 }, genl.ErrRange, "out of range"},
		{"chain too long", func(p *genl.Policy) { p.Rules[0].Types = make([]uint16, genl.MaxHops) }, genl.ErrRange, "failed policy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kernel, client := fake(t)
			if err := client.LoadPolicy(t.Context(), policy(2)); err != nil {
				t.Fatal(err)
			}
			p := policy(3)
			p.Version++
			tt.change(p)
			err := client.LoadPolicy(t.Context(), p)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("LoadPolicy: %v, want %v that says %q", err, tt.want, tt.says)
			}
			if diff := cmp.Diff(policy(2), kernel.Policy(), equateAddrs); diff != "" {
				t.Errorf("policy has changed (-want +got):\n%s", diff)
			}
			if err := client.LoadPolicy(t.Context(), policy(4)); err != nil {
				t.Errorf("LoadPolicy after a refusal: %v", err)
			}
		})
	}
}

func TestRules(t *testing.T) {
	kernel, client := fake(t)
	none, err := client.Rules(t.Context())
	if err != nil || len(none) != 0 {
		t.Errorf("Rules without a policy: %v, %v", none, err)
	}
	p := policy(100)
	if err := client.LoadPolicy(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	kernel.Hit(42, 1<<40)
	got, err := client.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := make([]genl.RuleStatus, len(p.Rules))
	for i, r := range p.Rules {
		want[i].Rule = r
	}
	want[42].Hits = 1 << 40
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Rules (-want +got):\n%s", diff)
	}
}

func TestLoadPolicyBusy(t *testing.T) {
	kernel, client := fake(t)
	kernel.Refuse(genlfake.PolicyBegin, syscall.EBUSY, "another socket is loading a policy")
	err := client.LoadPolicy(t.Context(), policy(1))
	if !errors.Is(err, genl.ErrBusy) {
		t.Errorf("LoadPolicy: %v, want %v", err, genl.ErrBusy)
	}
	const want = "load policy: begin policy: busy: another socket is loading a policy"
	if err.Error() != want {
		t.Errorf("LoadPolicy: %q, want %q", err, want)
	}
}
