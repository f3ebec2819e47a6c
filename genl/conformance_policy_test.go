// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// wantPolicy compares the running policy with p, or with none if p is nil.
func wantPolicy(t *testing.T, client *genl.Client, p *genl.Policy) {
	t.Helper()
	if p == nil {
		p = new(genl.Policy)
	}
	info, err := client.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := &genl.PolicyInfo{
		Version:  p.Version,
		Seed:     p.Seed,
		Types:    uint32(len(p.Types)),
		Rules:    uint32(len(p.Rules)),
		Programs: uint32(len(p.Programs) + len(p.Programs6)),
		Hosts:    uint32(len(p.Hosts)),
	}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Errorf("Policy (-want +got):\n%s", diff)
	}
	got, err := client.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rules := make([]genl.RuleStatus, len(p.Rules))
	for i, r := range p.Rules {
		rules[i].Rule = r
	}
	if diff := cmp.Diff(rules, got); diff != "" {
		t.Errorf("Rules (-want +got):\n%s", diff)
	}
}

func conformPolicy(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	wantPolicy(t, client, nil)
	for _, rules := range []int{3, 0, 2000, 1} {
		p := policy(rules)
		p.Version += uint64(rules)
		if err := client.LoadPolicy(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		wantPolicy(t, client, p)
	}
	empty := &genl.Policy{Version: 1}
	if err := client.LoadPolicy(t.Context(), empty); err != nil {
		t.Fatal(err)
	}
	wantPolicy(t, client, empty)
}

func conformLargePolicy(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	p := policy(genl.MaxRules)
	long := make([]bpf.RawInstruction, genl.MaxInstructions)
	for i := range long {
		long[i] = bpf.RawInstruction{Op: unix.BPF_RET, K: 0}
	}
	p.Programs = [][]bpf.RawInstruction{long, long}
	p.Hosts = nil
	for i := range genl.MaxHosts {
		p.Hosts = append(p.Hosts, netip.AddrFrom4([4]byte{10, 7, byte(i >> 8), byte(i)}))
	}
	if err := client.LoadPolicy(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	rules, err := client.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range rules {
		if rules[i].ID != p.Rules[i].ID {
			t.Fatalf("rule %d has id %d, want %d", i, rules[i].ID, p.Rules[i].ID)
		}
	}
	info, err := client.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != genl.MaxRules || info.Hosts != genl.MaxHosts || info.Programs != 2 {
		t.Errorf("%d rules in %+v", len(rules), info)
	}
	more := *p
	more.Rules = append(more.Rules, p.Rules[0])
	if err := client.LoadPolicy(t.Context(), &more); !errors.Is(err, genl.ErrTooBig) {
		t.Errorf("LoadPolicy with %d rules: %v, want %v", len(more.Rules), err, genl.ErrTooBig)
	}
}

// Attributes of a sound policy.
var (
	version  = attr(uapi.PolicyAttrVersion, 1, 0, 0, 0, 0, 0, 0, 0)
	seed     = attr(uapi.PolicyAttrSeed, make([]byte, genl.KeyLen)...)
	instance = nest(uapi.TypeAttrInstance,
		attr(uapi.InstanceAttrAddr4, 10, 0, 0, 2), attr(uapi.InstanceAttrWeight, 1, 0, 0, 0))
	nfType = nest(uapi.PolicyAttrType, attr(uapi.TypeAttrName, []byte("fw\x00")...), instance)
	ruleID = attr(uapi.RuleAttrID, 1, 0, 0, 0)
	block  = attr(uapi.RuleAttrOnFailure, 0)
	rule   = nest(uapi.PolicyAttrRule, ruleID, block, attr(uapi.RuleAttrTypes, 0, 0))
	prog   = attr(uapi.PolicyAttrProg, 6, 0, 0, 0, 1, 0, 0, 0)
	host   = attr(uapi.PolicyAttrHost4, 10, 0, 0, 9)
)

func conformRollBack(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	conn, family := rawConn(t, dial)
	noType := nest(uapi.PolicyAttrRule, ruleID, block, attr(uapi.RuleAttrTypes, 9, 0))
	for i, step := range []struct {
		cmd   uint8
		attrs []netlink.Attribute
		want  syscall.Errno
	}{
		{uapi.CmdPolicyBegin, []netlink.Attribute{version, seed}, 0},
		{uapi.CmdPolicyAdd, []netlink.Attribute{nfType, rule, prog, host}, 0},
		{uapi.CmdPolicyAdd, []netlink.Attribute{nfType, nfType, rule, prog, prog, host, noType}, syscall.EINVAL},
		{uapi.CmdPolicyAdd, []netlink.Attribute{rule}, 0},
		{uapi.CmdPolicyCommit, []netlink.Attribute{version}, 0},
	} {
		if got, message := order(t, conn, family, step.cmd, step.attrs); got != step.want {
			t.Errorf("step %d: %v (%s), want %v", i, got, message, step.want)
		}
	}
	wantPolicy(t, client, &genl.Policy{
		Version:  1,
		Types:    make([]genl.Type, 1),
		Rules:    []genl.Rule{{ID: 1, Types: []uint16{0}}, {ID: 1, Types: []uint16{0}}},
		Programs: make([][]bpf.RawInstruction, 1),
		Hosts:    make([]netip.Addr, 1),
	})
}

func conformLoaders(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	first, family := rawConn(t, dial)
	second, _ := rawConn(t, dial)
	other := attr(uapi.PolicyAttrVersion, 2, 0, 0, 0, 0, 0, 0, 0)
	for i, step := range []struct {
		conn  *genetlink.Conn
		cmd   uint8
		attrs []netlink.Attribute
		want  syscall.Errno
	}{
		{first, uapi.CmdPolicyAdd, []netlink.Attribute{host}, syscall.ENOENT},
		{first, uapi.CmdPolicyCommit, []netlink.Attribute{version}, syscall.ENOENT},
		{first, uapi.CmdPolicyBegin, []netlink.Attribute{version, seed}, 0},
		{first, uapi.CmdPolicyAdd, []netlink.Attribute{nfType, host}, 0},
		{second, uapi.CmdPolicyBegin, []netlink.Attribute{other, seed}, syscall.EBUSY},
		{second, uapi.CmdPolicyAdd, []netlink.Attribute{host}, syscall.ENOENT},
		{second, uapi.CmdPolicyCommit, []netlink.Attribute{version}, syscall.ENOENT},
		{first, uapi.CmdPolicyCommit, []netlink.Attribute{other}, syscall.EINVAL},
		{first, uapi.CmdPolicyBegin, []netlink.Attribute{other, seed}, 0}, // forgets the type
		{first, uapi.CmdPolicyAdd, []netlink.Attribute{rule}, syscall.EINVAL},
	} {
		got, message := order(t, step.conn, family, step.cmd, step.attrs)
		if got != step.want || (got != 0) != (message != "") {
			t.Errorf("step %d: %v (%q), want %v", i, got, message, step.want)
		}
	}
	wantPolicy(t, client, nil)

	// What was begun goes with its connection.
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	p := policy(1)
	if err := client.LoadPolicy(t.Context(), p); err != nil {
		t.Errorf("LoadPolicy after the loader has gone: %v", err)
	}
	wantPolicy(t, client, p)
}

func conformPolicyEvent(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	events, err := client.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	p := policy(1)
	if err := client.LoadPolicy(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := events.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]genl.Event{genl.PolicyLoaded{Version: p.Version}}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
