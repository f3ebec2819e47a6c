// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"

	"mbchain/genl"
	"mbchain/genl/genlfake"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestConformanceIPv6 is TestConformance for what IPv6 adds.
func TestConformanceIPv6(t *testing.T) {
	tests := []struct {
		name string
		run  func(t *testing.T, dial genl.Dialer)
	}{
		{"policy of both families", conformPolicyOfBoth},
		{"most programs and hosts of each", conformMostOfEach},
		{"programs that lead to others", conformOrderOfPrograms},
		{"strictness", conformStrictnessOfIPv6},
	}
	for _, tt := range tests {
		t.Run("fake/"+tt.name, func(t *testing.T) { tt.run(t, genlfake.New().Dial) })
		t.Run("module/"+tt.name, func(t *testing.T) {
			newNamespace(t)
			tt.run(t, genl.Dial)
		})
	}
}

func addr6(last byte) netip.Addr { return netip.AddrFrom16([16]byte{0: 0xfd, 15: last}) }

func conformPolicyOfBoth(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	ret := func(k uint32) []bpf.RawInstruction { return []bpf.RawInstruction{{Op: 6, K: k}} }
	for _, p := range []*genl.Policy{
		{
			Version:   1,
			Types:     []genl.Type{{Name: "six", Instances: []genl.Instance{{Addr6: addr6(2), Weight: 65535}}}},
			Rules:     []genl.Rule{{ID: 4, Types: []uint16{0}}},
			Programs6: [][]bpf.RawInstruction{ret(0), ret(1)},
			Hosts:     []netip.Addr{addr6(9)},
		},
		{
			Version: 2,
			Types: []genl.Type{{Name: "both", Instances: []genl.Instance{
				{Addr: netip.MustParseAddr("10.0.0.2"), Addr6: addr6(2), Weight: 1},
				{Addr: netip.MustParseAddr("10.0.0.3"), Weight: 2},
				{Addr6: addr6(4), Weight: 3},
			}}},
			Rules:     []genl.Rule{{ID: 1, Types: []uint16{0, 0}}, {ID: 2, OnFailure: genl.Bypass}},
			Programs:  [][]bpf.RawInstruction{ret(1)},
			Programs6: [][]bpf.RawInstruction{ret(2)},
			Hosts:     []netip.Addr{netip.MustParseAddr("10.0.0.9"), addr6(9), netip.MustParseAddr("10.0.0.8"), addr6(8)},
		},
	} {
		if err := client.LoadPolicy(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		wantPolicy(t, client, p)
	}
}

// The limits on programs and hosts hold for each family by itself.
func conformMostOfEach(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	p := &genl.Policy{Version: 1}
	for range genl.MaxPrograms {
		p.Programs = append(p.Programs, []bpf.RawInstruction{{Op: 6}})
	}
	p.Programs6 = p.Programs
	for i := range genl.MaxHosts {
		p.Hosts = append(p.Hosts, netip.AddrFrom4([4]byte{10, 7, byte(i >> 8), byte(i)}),
			netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(i >> 8), 15: byte(i)}))
	}
	if err := client.LoadPolicy(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	wantPolicy(t, client, p)
	for name, change := range map[string]func(*genl.Policy){
		"program": func(p *genl.Policy) {
			p.Programs6 = append(p.Programs6[:len(p.Programs6):len(p.Programs6)], p.Programs6[0])
		},
		"host": func(p *genl.Policy) {
			p.Hosts = append(p.Hosts[:len(p.Hosts):len(p.Hosts)], netip.MustParseAddr("fd01::1"))
		},
	} {
		more := *p
		change(&more)
		if err := client.LoadPolicy(t.Context(), &more); !errors.Is(err, genl.ErrTooBig) {
			t.Errorf("LoadPolicy with one IPv6 %s more: %v, want %v", name, err, genl.ErrTooBig)
		}
	}
}

// A program may lead to any that comes later, even to one that does not come at
// all: the search ends there. Those of each family are numbered by themselves.
func conformOrderOfPrograms(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	ret := func(k uint32) []bpf.RawInstruction { return []bpf.RawInstruction{{Op: unix.BPF_RET, K: k}} }
	goTo := func(program, rule uint32) []bpf.RawInstruction {
		return ret(uapi.AnswerGo | program<<uapi.AnswerShift | rule)
	}
	const highest = 1<<(31-uapi.AnswerShift) - 1
	tests := []struct {
		name      string
		programs  [][]bpf.RawInstruction
		programs6 [][]bpf.RawInstruction
		fails     bool
	}{
		{"the next one", [][]bpf.RawInstruction{goTo(1, 0), goTo(2, 1), ret(2)}, nil, false},
		{"not every one", [][]bpf.RawInstruction{goTo(2, 0), goTo(2, 0), ret(1)}, nil, false},
		{"one that is not there", [][]bpf.RawInstruction{goTo(1, 0), goTo(2, 0), goTo(highest, 0)}, nil, false},
		{"one that is not there, with a rule", [][]bpf.RawInstruction{goTo(highest, genl.MaxRules)}, nil, false},
		{"a rule that is not there", [][]bpf.RawInstruction{ret(3), ret(uapi.AnswerGo - 1)}, nil, false},
		{"computed", [][]bpf.RawInstruction{{{Op: unix.BPF_LD | unix.BPF_IMM, K: uapi.AnswerGo}, {Op: unix.BPF_RET | unix.BPF_A}}}, nil, false},
		{"in an operand of another kind", [][]bpf.RawInstruction{{{Op: unix.BPF_LD | unix.BPF_IMM, K: uapi.AnswerGo}, {Op: unix.BPF_RET}}}, nil, false},
		{"itself", [][]bpf.RawInstruction{goTo(0, 0)}, nil, true},
		{"itself, with a rule", [][]bpf.RawInstruction{goTo(0, 1)}, nil, true},
		{"itself, the second", [][]bpf.RawInstruction{ret(0), goTo(1, 0)}, nil, true},
		{"the one before", [][]bpf.RawInstruction{ret(0), ret(0), goTo(1, 2)}, nil, true},
		{"itself, by one of two answers", [][]bpf.RawInstruction{
			{{Op: unix.BPF_JMP | unix.BPF_JEQ, Jt: 1}, ret(1)[0], goTo(0, 0)[0]}}, nil, true},
		{"itself, IPv6", [][]bpf.RawInstruction{ret(0), ret(0)}, [][]bpf.RawInstruction{goTo(0, 0)}, true},
		{"the next one, IPv6", [][]bpf.RawInstruction{ret(0), ret(0)}, [][]bpf.RawInstruction{goTo(1, 0), ret(1)}, false},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := client.LoadPolicy(t.Context(), &genl.Policy{Version: uint64(i), Programs: tt.programs, Programs6: tt.programs6})
			if errors.Is(err, unix.ELOOP) != tt.fails || (err != nil) != tt.fails {
				t.Errorf("LoadPolicy: %v, want it refused: %t", err, tt.fails)
			}
		})
	}
}

// conformStrictnessOfIPv6 sends what must be refused, each with an
// explanation.
func conformStrictnessOfIPv6(t *testing.T, dial genl.Dialer) {
	type attrs = []netlink.Attribute
	var (
		good   = []byte{0: 0xfd, 15: 2}
		name   = attr(uapi.TypeAttrName, []byte("fw\x00")...)
		weight = attr(uapi.InstanceAttrWeight, 1, 0, 0, 0)
		addr4  = attr(uapi.InstanceAttrAddr4, 10, 0, 0, 2)
		addr6  = attr(uapi.InstanceAttrAddr6, good...)
	)
	of := func(instance ...netlink.Attribute) attrs {
		return attrs{nest(uapi.PolicyAttrType, name, nest(uapi.TypeAttrInstance, instance...))}
	}
	type refused struct {
		name  string
		attrs attrs
		want  syscall.Errno
	}
	tests := []refused{
		{"instance without address", of(weight), syscall.EINVAL},
		{"instance without weight", of(addr6), syscall.EINVAL},
		{"instance without weight, both families", of(addr4, addr6), syscall.EINVAL},
		{"instance, short address", of(attr(uapi.InstanceAttrAddr6, good[:15]...), weight), syscall.ERANGE},
		{"instance, IPv4 for IPv6", of(attr(uapi.InstanceAttrAddr6, 10, 0, 0, 2), weight), syscall.ERANGE},
		{"instance, IPv6 for IPv4", of(attr(uapi.InstanceAttrAddr4, good...), weight), syscall.EINVAL},
		{"instance, one address wrong", of(attr(uapi.InstanceAttrAddr4, 0, 0, 0, 0), addr6, weight), syscall.EINVAL},
		{"instance, unknown attribute", of(addr6, weight, attr(uapi.InstanceAttrAddr6+1, 1)), syscall.EINVAL},

		{"short host", attrs{attr(uapi.PolicyAttrHost6, good[:4]...)}, syscall.ERANGE},
		{"long host", attrs{attr(uapi.PolicyAttrHost6, make([]byte, 17)...)}, syscall.ERANGE},
		{"unknown attribute", attrs{attr(uapi.PolicyAttrHost6+1, good...)}, syscall.EINVAL},

		{"empty program", attrs{attr(uapi.PolicyAttrProg6)}, syscall.ERANGE},
		{"half an instruction", attrs{attr(uapi.PolicyAttrProg6, make([]byte, 12)...)}, syscall.EINVAL},
		{"program too long", attrs{attr(uapi.PolicyAttrProg6, make([]byte, 8*4097)...)}, syscall.ERANGE},
		{"program that jumps back", attrs{attr(uapi.PolicyAttrProg6, 5, 0, 0, 0, 255, 255, 255, 255)}, syscall.EINVAL},
		{"program without return", attrs{attr(uapi.PolicyAttrProg6, make([]byte, 8)...)}, syscall.EINVAL},
	}
	for _, a := range []string{"::", "::1", "ff02::1", "fe80::1", "febf::1", "::ffff:10.0.0.2"} {
		b := netip.MustParseAddr(a).As16()
		tests = append(tests,
			refused{"instance " + a, of(attr(uapi.InstanceAttrAddr6, b[:]...), weight), syscall.EINVAL},
			refused{"host " + a, attrs{attr(uapi.PolicyAttrHost6, b[:]...)}, syscall.EINVAL})
	}
	conn, family := rawConn(t, dial)
	if got, message := order(t, conn, family, uapi.CmdPolicyBegin, attrs{version, seed}); got != 0 {
		t.Fatalf("begin policy: %v (%s)", got, message)
	}
	for _, tt := range tests {
		got, message := order(t, conn, family, uapi.CmdPolicyAdd, tt.attrs)
		if got != tt.want || message == "" {
			t.Errorf("%s: %v (%q), want %v and an explanation", tt.name, got, message, tt.want)
		}
	}

	// None of it has left a trace.
	host := attr(uapi.PolicyAttrHost6, good...)
	if got, message := order(t, conn, family, uapi.CmdPolicyAdd, attrs{host}); got != 0 {
		t.Errorf("add host: %v (%s)", got, message)
	}
	if got, message := order(t, conn, family, uapi.CmdPolicyCommit, attrs{version}); got != 0 {
		t.Errorf("commit: %v (%s)", got, message)
	}
	wantPolicy(t, newClient(t, dial), &genl.Policy{Version: 1, Hosts: make([]netip.Addr, 1)})
}
