// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/genlfake"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/bpf"
)

var equateAddrs = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

// fake returns a module and a client of it.
func fake(t *testing.T) (*genlfake.Kernel, *genl.Client) {
	t.Helper()
	kernel := genlfake.New()
	client, err := genl.NewClient(kernel.Dial)
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if n := kernel.Connections(); n != 0 {
			t.Errorf("%d connections left open", n)
		}
	})
	return kernel, client
}

// tuple parses a five-tuple.
func tuple(s string) chain.FiveTuple {
	t, err := chain.ParseFiveTuple(s)
	if err != nil {
		panic(err)
	}
	return t
}

// middle is a session at a middlebox.
func middle(id byte) genl.Session {
	return genl.Session{
		ID:    chain.SessionID{id},
		Role:  chain.RoleMiddle,
		State: chain.StateEstablished,
		Super: tuple("10.0.0.1:40000 > 10.0.0.4:80 tcp"),
		Left: &genl.Subsession{
			Tuple:     tuple("10.0.0.1:50001 > 10.0.0.2:50002 tcp"),
			InPackets: 10, InBytes: 1000, OutPackets: 20, OutBytes: 30000,
		},
		Right: &genl.Subsession{
			Tuple:     tuple("10.0.0.2:50003 > 10.0.0.4:50004 tcp"),
			InPackets: 20, InBytes: 30000, OutPackets: 10, OutBytes: 1000,
		},
		Hops: []netip.Addr{netip.MustParseAddr("10.0.0.4")},
		Age:  1500 * time.Millisecond,
		Idle: 3 * time.Millisecond,
	}
}

// client is a session at its client.
func clientSession(id byte) genl.Session {
	s := middle(id)
	s.Role, s.Left = chain.RoleClient, nil
	s.Rule, s.PolicyVersion = 7, 1<<40
	return s
}

func policy(rules int) *genl.Policy {
	p := &genl.Policy{
		Version: 1 << 33,
		Seed:    [genl.KeyLen]byte{1, 2, 3},
		Types: []genl.Type{
			{Name: "firewall", Instances: []genl.Instance{
				{Addr: netip.MustParseAddr("10.0.0.2"), Weight: 2},
				{Addr: netip.MustParseAddr("10.0.0.3"), Weight: 65535},
			}},
			{Name: "ids", Instances: []genl.Instance{{Addr: netip.MustParseAddr("10.0.0.3"), Weight: 1}}},
		},
		Programs: [][]bpf.RawInstruction{{{Op: 6, K: 1}}},
		Hosts:    []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.4")},
	}
	for i := range rules {
		r := genl.Rule{ID: uint32(i + 3), OnFailure: genl.OnFailure(i % 2)}
		if i > 0 {
			r.Types = []uint16{0, 1, 0}
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

func TestInfo(t *testing.T) {
	kernel, client := fake(t)
	ctx := t.Context()
	if err := client.SetKeys(ctx, []genl.Key{{ID: 9}, {ID: 8}}); err != nil {
		t.Fatal(err)
	}
	if err := client.LoadPolicy(ctx, policy(3)); err != nil {
		t.Fatal(err)
	}
	kernel.AddSession(middle(1))
	got, err := client.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := &genl.Info{
		ModuleVersion: genlfake.Version,
		Sessions:      1,
		SessionBytes:  1024,
		PolicyVersion: 1 << 33,
		Rules:         3,
		KeyIDs:        []uint32{9, 8},
		Config:        kernel.Config(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Info (-want +got):\n%s", diff)
	}
}

func TestSetConfigChangesOnlyWhatItNames(t *testing.T) {
	kernel, client := fake(t)
	want := kernel.Config()
	want.SYNTimeout, want.Freshness, want.PortMin = 2500*time.Millisecond, 5*time.Second, 2000
	err := client.SetConfig(t.Context(), genl.Config{
		SYNTimeout: 2500 * time.Millisecond,
		Freshness:  5 * time.Second,
		PortMin:    2000,
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, kernel.Config()); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestSetConfigRefuses(t *testing.T) {
	tests := []struct {
		name   string
		config genl.Config
	}{
		{"too many sessions", genl.Config{MaxSessions: 16777217}},
		{"timeout under a millisecond", genl.Config{SYNTimeout: 1500 * time.Microsecond}},
		{"negative timeout", genl.Config{IdleTimeout: -time.Second}},
		{"timeout beyond 32 bits", genl.Config{IdleTimeout: 1 << 32 * time.Millisecond}},
		{"timeout too short", genl.Config{CloseTimeout: 99 * time.Millisecond}},
		{"half a second", genl.Config{Freshness: 1500 * time.Millisecond}},
		{"port range too small", genl.Config{PortMin: 5000, PortMax: 5062}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kernel, client := fake(t)
			want := kernel.Config()
			if err := client.SetConfig(t.Context(), tt.config); !errors.Is(err, genl.ErrRange) {
				t.Errorf("SetConfig: %v, want %v", err, genl.ErrRange)
			}
			if diff := cmp.Diff(want, kernel.Config()); diff != "" {
				t.Errorf("config has changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetKeysReplacesAll(t *testing.T) {
	kernel, client := fake(t)
	for _, keys := range [][]genl.Key{
		{{ID: 1, Secret: genl.Secret{1}}, {ID: 2, Secret: genl.Secret{2}}},
		{{ID: 3, Secret: genl.Secret{3}}},
		nil,
	} {
		if err := client.SetKeys(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(keys, kernel.Keys()); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	}
	if err := client.SetKeys(t.Context(), make([]genl.Key, 2)); !errors.Is(err, genl.ErrExists) {
		t.Errorf("two keys of one id: %v, want %v", err, genl.ErrExists)
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	key := genl.Key{ID: 1, Secret: genl.Secret{0xab, 0xcd}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		s := fmt.Sprintf(format, key)
		if !strings.Contains(s, "(secret)") || strings.Contains(s, "ab") || strings.Contains(s, "171") {
			t.Errorf("%s prints %s", format, s)
		}
	}
}

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
				Programs: uint32(len(want.Programs)),
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
		{"IPv6 host", func(p *genl.Policy) { p.Hosts[0] = v6 }, genl.ErrInvalid, "host: 2001:db8::1"},
		{"IPv6 instance", func(p *genl.Policy) { p.Types[1].Instances[0].Addr = v6 }, genl.ErrInvalid, `type 1 "ids"`},
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

func TestSessions(t *testing.T) {
	kernel, client := fake(t)
	want := []genl.Session{middle(1), clientSession(2), middle(3)}
	for _, s := range want {
		kernel.AddSession(s)
	}
	got, err := client.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, equateAddrs); diff != "" {
		t.Errorf("Sessions (-want +got):\n%s", diff)
	}
	one, err := client.Session(t.Context(), want[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want[1], one, equateAddrs); diff != "" {
		t.Errorf("Session (-want +got):\n%s", diff)
	}
	if err := client.DeleteSession(t.Context(), want[1].ID); err != nil {
		t.Fatal(err)
	}
	_, err = client.Session(t.Context(), want[1].ID)
	if !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("Session after DeleteSession: %v, want %v", err, genl.ErrNotFound)
	}
	if err := client.DeleteSession(t.Context(), want[1].ID); !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("DeleteSession twice: %v, want %v", err, genl.ErrNotFound)
	}
}

func TestInterruptedDumpIsRepeated(t *testing.T) {
	tests := []struct {
		name  string
		times int
		want  error
	}{
		{"once", 1, nil},
		{"four times", 4, nil},
		{"always", 100, genl.ErrInterrupted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kernel, client := fake(t)
			kernel.AddSession(middle(1))
			kernel.InterruptDumps(tt.times)
			sessions, err := client.Sessions(t.Context())
			if !errors.Is(err, tt.want) {
				t.Fatalf("Sessions: %v, want %v", err, tt.want)
			}
			if err == nil && len(sessions) != 1 {
				t.Errorf("%d sessions, want 1", len(sessions))
			}
		})
	}
}

func TestStats(t *testing.T) {
	kernel, client := fake(t)
	kernel.Count(genl.ReasonHdrMAC, 1<<35)
	got, err := client.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != int(genl.ReasonMax) {
		t.Errorf("%d counters, want %d", len(got), genl.ReasonMax)
	}
	want := genl.Counter{Reason: genl.ReasonHdrMAC, Name: "hdr_mac", Value: 1 << 35}
	if diff := cmp.Diff(want, got[genl.ReasonHdrMAC-1]); diff != "" {
		t.Errorf("counter (-want +got):\n%s", diff)
	}
}

func TestModuleNotLoaded(t *testing.T) {
	kernel := genlfake.New()
	kernel.Unload()
	_, err := genl.NewClient(kernel.Dial)
	if !errors.Is(err, genl.ErrNotSupported) || !strings.Contains(err.Error(), "modprobe mbchain") {
		t.Errorf("NewClient: %v, want %v that says modprobe mbchain", err, genl.ErrNotSupported)
	}
	if n := kernel.Connections(); n != 0 {
		t.Errorf("%d connections left open", n)
	}
}

// The family has another number after the module was loaded anew.
func TestClientFollowsModule(t *testing.T) {
	kernel, client := fake(t)
	kernel.Unload()
	if _, err := client.Info(t.Context()); !errors.Is(err, genl.ErrNotSupported) {
		t.Errorf("Info without module: %v, want %v", err, genl.ErrNotSupported)
	}
	kernel.Load()
	if _, err := client.Info(t.Context()); err != nil {
		t.Errorf("Info with module: %v", err)
	}
	kernel.Unload()
	kernel.Load()
	if _, err := client.Sessions(t.Context()); err != nil {
		t.Errorf("Sessions with module loaded anew: %v", err)
	}
}

func TestContextIsLookedAt(t *testing.T) {
	kernel, client := fake(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.LoadPolicy(ctx, policy(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("LoadPolicy: %v, want %v", err, context.Canceled)
	}
	if kernel.Policy() != nil {
		t.Error("policy was loaded")
	}
}

func TestConcurrentUse(t *testing.T) {
	kernel, client := fake(t)
	kernel.AddSession(middle(1))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				if _, err := client.Sessions(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := client.Stats(t.Context()); err != nil {
					t.Error(err)
				}
				if i != 0 {
					continue
				}
				if err := client.LoadPolicy(t.Context(), policy(2)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestRefusal(t *testing.T) {
	tests := []struct {
		errno syscall.Errno
		want  error
	}{
		{syscall.EPERM, genl.ErrPermission},
		{syscall.EACCES, genl.ErrPermission},
		{syscall.ENOENT, genl.ErrNotFound},
		{syscall.EBUSY, genl.ErrBusy},
		{syscall.ERANGE, genl.ErrRange},
		{syscall.EINVAL, genl.ErrInvalid},
		{syscall.EEXIST, genl.ErrExists},
		{syscall.E2BIG, genl.ErrTooBig},
		{syscall.ENOSPC, genl.ErrTooBig},
		{syscall.EMSGSIZE, genl.ErrTooBig},
		{syscall.ENOMEM, genl.ErrNoMemory},
		{syscall.ENOBUFS, genl.ErrNoMemory},
		{syscall.EOPNOTSUPP, genl.ErrNotSupported},
		{syscall.EPROTONOSUPPORT, genl.ErrNotSupported},
		{syscall.EAFNOSUPPORT, genl.ErrNotSupported},
		{syscall.EIO, syscall.EIO},
	}
	for _, tt := range tests {
		t.Run(tt.errno.Error(), func(t *testing.T) {
			kernel, client := fake(t)
			for _, message := range []string{"", "because of the weather"} {
				kernel.Refuse(genlfake.SetKeys, tt.errno, message)
				err := client.SetKeys(t.Context(), nil)
				if !errors.Is(err, tt.want) || !errors.Is(err, tt.errno) {
					t.Errorf("SetKeys: %v, want %v and %v", err, tt.want, tt.errno)
				}
				var refused *genl.RefusedError
				if !errors.As(err, &refused) {
					t.Fatalf("SetKeys: %T, want %T", err, refused)
				}
				got := genl.RefusedError{Op: refused.Op, Errno: refused.Errno, Message: refused.Message}
				want := genl.RefusedError{Op: "set keys", Errno: tt.errno, Message: message}
				if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(want)); diff != "" {
					t.Errorf("refusal (-want +got):\n%s", diff)
				}
				if !strings.HasPrefix(err.Error(), "set keys: ") || !strings.Contains(err.Error(), message) {
					t.Errorf("error says %q", err)
				}
			}
			if err := client.SetKeys(t.Context(), nil); err != nil {
				t.Errorf("SetKeys after the refusals: %v", err)
			}
		})
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
