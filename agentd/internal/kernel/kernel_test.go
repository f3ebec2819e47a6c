// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/agentd/internal/subpolicy"
	"mbchain/genl"
	"mbchain/genl/genlfake"
	"mbchain/proto"
)

var (
	secret     = []byte("kkkkkkkkkkkkkkkk")
	seed       = []byte("seedseedseedseed")
	compareNet = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})
)

// start returns a Kernel in front of a fake module.
func start(t *testing.T) (*Kernel, *genlfake.Kernel) {
	module := genlfake.New()
	k := &Kernel{dial: module.Dial}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
		if n := module.Connections(); n != 0 {
			t.Errorf("%d connections are left open", n)
		}
	})
	return k, module
}

// sub is a subpolicy with one of everything.
func sub() *proto.Subpolicy {
	return &proto.Subpolicy{
		Version: 7,
		Seed:    seed,
		Types: []*proto.NFType{
			{Name: "firewall", Instances: []*proto.Instance{
				{Address: "10.0.0.2", Address6: "fd00::2", Weight: 2, Name: "mb1"}, {Address: "10.0.0.4", Weight: 1}, {Address6: "fd00::5", Weight: 7},
			}},
			{Name: "ids", Choice: proto.Choice_CHOICE_TURN, Instances: []*proto.Instance{{Address: "10.0.0.3", Weight: 1}}},
		},
		Rules: []*proto.Rule{
			{Number: 1, Predicate: "dstport=80 & srcip=10.0.0.0/24", Types: []uint32{0, 1}},
			{Number: 4, Predicate: "any", BypassOnFailure: true, SetUp: proto.SetUpWay_SET_UP_WAY_OUT_OF_BAND},
		},
		Hosts:  []string{"10.0.0.1", "2001:db8::1", "10.0.0.5"},
		Guards: []*proto.Guard{{Number: 2, Predicate: "srcip=10.0.0.7"}, {Number: 3, Predicate: "dstport=80", Required: true}},
	}
}

func TestLoadPolicyLoadsWhatPolicydMeans(t *testing.T) {
	k, module := start(t)
	if err := k.LoadPolicy(t.Context(), sub()); err != nil {
		t.Fatal(err)
	}
	want := &genl.Policy{
		Version: 7,
		Seed:    [16]byte(seed),
		Types: []genl.Type{
			{Name: "firewall", Instances: []genl.Instance{
				{Addr: netip.MustParseAddr("10.0.0.2"), Addr6: netip.MustParseAddr("fd00::2"), Weight: 2},
				{Addr: netip.MustParseAddr("10.0.0.4"), Weight: 1},
				{Addr6: netip.MustParseAddr("fd00::5"), Weight: 7},
			}},
			{Name: "ids", Choice: genl.InTurn, Instances: []genl.Instance{{Addr: netip.MustParseAddr("10.0.0.3"), Weight: 1}}},
		},
		Rules: []genl.Rule{
			{ID: 1, OnFailure: genl.Block, Types: []uint16{0, 1}},
			{ID: 4, OnFailure: genl.Bypass, Setup: genl.SetupOutOfBand},
		},
		Hosts:  []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("10.0.0.5")},
		Guards: []genl.Guard{{ID: 2}, {ID: 3, Required: true}},
	}
	got := module.Policy()
	diff := cmp.Diff(want, got, compareNet, cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(genl.Policy{}, "Programs", "Programs6", "GuardPrograms", "GuardPrograms6"))
	if diff != "" {
		t.Errorf("policy in the module (-want +got):\n%s", diff)
	}
	if len(got.Programs) != 1 || len(got.Programs6) != 1 {
		t.Errorf("%d programs of IPv4 and %d of IPv6, want 1 of each", len(got.Programs), len(got.Programs6))
	}
	if len(got.GuardPrograms) != 1 || len(got.GuardPrograms6) != 1 {
		t.Errorf("%d guard programs of IPv4 and %d of IPv6, want 1 of each", len(got.GuardPrograms), len(got.GuardPrograms6))
	}
}

// A policy for one family leaves the other without a program.
func TestLoadPolicyOfOneFamily(t *testing.T) {
	for _, test := range []struct {
		predicate string
		four, six int
	}{
		{"srcip=10.0.0.0/24", 1, 0},
		{"srcip=fd00::/64", 0, 1},
	} {
		t.Run(test.predicate, func(t *testing.T) {
			k, module := start(t)
			s := sub()
			s.Rules = []*proto.Rule{{Number: 1, Predicate: test.predicate, Types: []uint32{0}}}
			if err := k.LoadPolicy(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			got := module.Policy()
			if len(got.Programs) != test.four || len(got.Programs6) != test.six {
				t.Errorf("%d programs of IPv4 and %d of IPv6, want %d and %d", len(got.Programs), len(got.Programs6), test.four, test.six)
			}
		})
	}
}

func TestLoadPolicySaysWhatItCannotRead(t *testing.T) {
	tests := []struct {
		name   string
		change func(*proto.Subpolicy)
		want   string
	}{
		{"seed", func(s *proto.Subpolicy) { s.Seed = s.Seed[:3] }, "compile subpolicy: seed has 3 bytes instead of 16"},
		{"instance", func(s *proto.Subpolicy) { s.Types[1].Instances[0].Address = "mb2" },
			`compile subpolicy: type 1 ("ids"): instance "mb2": `},
		{"instance's IPv6 address", func(s *proto.Subpolicy) { s.Types[0].Instances[2].Address6 = "fd00:::5" },
			`compile subpolicy: type 0 ("firewall"): instance "fd00:::5": `},
		{"instance without address", func(s *proto.Subpolicy) { s.Types[1].Instances[0].Address = "" },
			`load policy: type 1 "ids": invalid IP is not an IPv4 address: `},
		{"predicate", func(s *proto.Subpolicy) { s.Rules[1].Predicate = "colour=red" }, "compile subpolicy: rule 4: "},
		{"type number", func(s *proto.Subpolicy) { s.Rules[0].Types[1] = 65536 },
			"compile subpolicy: rule 1: type number 65536, there are at most 256"},
		{"guard", func(s *proto.Subpolicy) { s.Guards[1].Predicate = "colour=red" }, "compile subpolicy: guard of rule 3: "},
		{"set-up", func(s *proto.Subpolicy) { s.Rules[0].SetUp = 9 }, "compile subpolicy: rule 1: set-up 9 is of a newer policyd"},
		{"choice", func(s *proto.Subpolicy) { s.Types[1].Choice = 9 }, `compile subpolicy: type 1 ("ids"): choice 9 is of a newer policyd`},
		{"host", func(s *proto.Subpolicy) { s.Hosts[0] = "client" }, `compile subpolicy: host "client": `},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k, module := start(t)
			s := sub()
			test.change(s)
			err := k.LoadPolicy(t.Context(), s)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("load: %v, want %s...", err, test.want)
			}
			if module.Policy() != nil {
				t.Error("the module has a policy all the same")
			}
		})
	}
}

func TestSetKeysKeepsTheirOrder(t *testing.T) {
	k, module := start(t)
	keys := []*proto.SetupKey{{Id: 9, Secret: secret}, {Id: 4, Secret: seed}}
	if err := k.SetKeys(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	want := []genl.Key{{ID: 9, Secret: genl.Secret(secret)}, {ID: 4, Secret: genl.Secret(seed)}}
	if diff := cmp.Diff(want, module.Keys()); diff != "" {
		t.Errorf("keys in the module (-want +got):\n%s", diff)
	}
	err := k.SetKeys(t.Context(), []*proto.SetupKey{{Id: 9, Secret: secret[:4]}})
	if err == nil || err.Error() != "set keys: key 9 has 4 bytes instead of 16" {
		t.Errorf("set a short key: %v", err)
	}
}

func TestInfoSaysWhatTheModuleRuns(t *testing.T) {
	k, module := start(t)
	want := Info{ModuleVersion: genlfake.Version, MaxSessions: module.Config().MaxSessions, SessionBytes: 1024, TableBytes: 8192, Instance: 0x20}
	check := func() {
		t.Helper()
		got, err := k.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(NF{})); diff != "" {
			t.Errorf("info (-want +got):\n%s", diff)
		}
	}
	check()
	if err := k.SetKeys(t.Context(), []*proto.SetupKey{{Id: 3, Secret: secret}}); err != nil {
		t.Fatal(err)
	}
	if err := k.LoadPolicy(t.Context(), sub()); err != nil {
		t.Fatal(err)
	}
	want.Module = subpolicy.Module{Version: 7, Seed: seed, KeyIDs: []uint32{3}}
	want.Rules = 2
	check()
}

func TestErrorsTellWhatPasses(t *testing.T) {
	tests := []struct {
		name   string
		before func(*genlfake.Kernel)
		want   error // nil: of no kind
	}{
		{"no module", (*genlfake.Kernel).Unload, ErrAbsent},
		{"another loader", func(m *genlfake.Kernel) { m.Refuse(genlfake.PolicyBegin, syscall.EBUSY, "") }, ErrPasses},
		{"no memory", func(m *genlfake.Kernel) { m.Refuse(genlfake.PolicyAdd, syscall.ENOMEM, "") }, ErrPasses},
		{"loaded anew meanwhile", func(m *genlfake.Kernel) { m.Refuse(genlfake.PolicyCommit, syscall.ENOENT, "no policy was begun") }, ErrPasses},
		{"not to its taste", func(m *genlfake.Kernel) { m.Refuse(genlfake.PolicyCommit, syscall.EINVAL, "odd rule") }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k, module := start(t)
			test.before(module)
			err := k.LoadPolicy(t.Context(), sub())
			if err == nil {
				t.Fatal("load succeeds")
			}
			for _, kind := range []error{ErrAbsent, ErrPasses} {
				if got, want := errors.Is(err, kind), kind == test.want; got != want {
					t.Errorf("load: %v: is %v: %t, want %t", err, kind, got, want)
				}
			}
		})
	}
}

func TestKernelOutlivesTheModule(t *testing.T) {
	k, module := start(t)
	module.Unload()
	if _, err := k.Info(t.Context()); !errors.Is(err, ErrAbsent) {
		t.Fatalf("info without a module: %v, want ErrAbsent", err)
	}
	for range 2 {
		module.Load()
		if _, err := k.Info(t.Context()); err != nil {
			t.Fatal(err)
		}
		module.Unload()
		if _, err := k.Info(t.Context()); !errors.Is(err, ErrAbsent) {
			t.Fatalf("info without a module: %v, want ErrAbsent", err)
		}
		if _, _, err := k.Sessions(t.Context(), nil, 0); !errors.Is(err, ErrAbsent) {
			t.Fatalf("sessions without a module: %v, want ErrAbsent", err)
		}
	}
}

func TestCountersComeInTheModulesOrder(t *testing.T) {
	k, module := start(t)
	module.Count(genl.ReasonHdrMAC, 3)
	got, err := k.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]*proto.Counter{
		0:                          {Name: "rewritten_in"},
		int(genl.ReasonHdrMAC) - 1: {Name: "hdr_mac", Value: 3},
	}
	for i, c := range want {
		if diff := cmp.Diff(c, got[i], protocmp.Transform()); diff != "" {
			t.Errorf("counter %d (-want +got):\n%s", i, diff)
		}
	}
}
