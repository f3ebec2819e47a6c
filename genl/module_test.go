// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// newNamespace gives the test a thread in a network namespace of its own that
// has the module, or skips the test.
func newNamespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: the thread goes with the test
	err := unix.Unshare(unix.CLONE_NEWNET)
	if err == nil {
		var client *genl.Client
		if client, err = genl.New(); err == nil {
			err = client.Close()
		}
	}
	switch {
	case err == nil:
	case os.Getenv("MBCHAIN_REQUIRE_KERNEL") != "":
		t.Fatal(err)
	default:
		t.Skipf("needs the module: %v", err)
	}
}

// Every command needs CAP_NET_ADMIN, listening too.
func TestModulePermission(t *testing.T) {
	newNamespace(t)
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		t.Fatal(err)
	}
	conn, family := rawConn(t, genl.Dial)
	for cmd := uint8(uapi.CmdGetInfo); cmd <= uapi.CmdSetHops; cmd++ {
		for _, flags := range []netlink.HeaderFlags{netlink.Acknowledge, netlink.Dump} {
			errno, _ := send(t, conn, family, cmd, flags, nil)
			// Not every command has both forms.
			if errno != unix.EPERM && errno != unix.EOPNOTSUPP {
				t.Errorf("command %d, flags %v: %v, want %v", cmd, flags, errno, unix.EPERM)
			}
		}
	}
	client := newClient(t, genl.Dial)
	if _, err := client.Info(t.Context()); !errors.Is(err, genl.ErrPermission) {
		t.Errorf("Info: %v, want %v", err, genl.ErrPermission)
	}
	if events, err := client.Subscribe(); !errors.Is(err, genl.ErrPermission) {
		t.Errorf("Subscribe: %v, %v, want %v", events, err, genl.ErrPermission)
	}
	if events, err := client.SubscribeSetup(); !errors.Is(err, genl.ErrPermission) {
		t.Errorf("SubscribeSetup: %v, %v, want %v", events, err, genl.ErrPermission)
	}
}

func addr4(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, last}) }

// clientHost makes the namespace a host whose TCP sessions all go through
// 10.0.0.2 to 10.0.0.4. Nobody answers them.
func clientHost(t *testing.T, client *genl.Client) *genl.Policy {
	t.Helper()
	for _, args := range []string{
		"link set lo up",
		"link add v0 type veth peer name v1",
		"link set v0 up",
		"link set v1 up",
		"addr add 10.0.0.1/32 dev v0",
		"route add 10.0.0.0/24 dev v0 src 10.0.0.1",
		"neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev v0",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	p := &genl.Policy{
		Version:  5,
		Types:    []genl.Type{{Name: "fw", Instances: []genl.Instance{{Addr: netip.MustParseAddr("10.0.0.2"), Weight: 1}}}},
		Rules:    []genl.Rule{{ID: 77, OnFailure: genl.Block, Types: []uint16{0}}},
		Programs: [][]bpf.RawInstruction{{{Op: unix.BPF_RET, K: 1}}},
		Hosts:    []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.4")},
	}
	if err := client.SetKeys(t.Context(), []genl.Key{{ID: 1, Secret: genl.Secret{1}}}); err != nil {
		t.Fatal(err)
	}
	if err := client.LoadPolicy(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// open sends the first SYN of n sessions between two hosts, from port first on.
func open(t *testing.T, from, to netip.Addr, first, n int) {
	t.Helper()
	domain := unix.AF_INET
	if from.Is6() {
		domain = unix.AF_INET6
	}
	for i := range n {
		fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Bind(fd, sockaddr(from, first+i)); err != nil {
			t.Fatal(err)
		}
		err = unix.Connect(fd, sockaddr(to, 80))
		if !errors.Is(err, unix.EINPROGRESS) {
			t.Fatalf("connect: %v, want %v", err, unix.EINPROGRESS)
		}
		if err := unix.Close(fd); err != nil {
			t.Fatal(err)
		}
	}
}

func sockaddr(a netip.Addr, port int) unix.Sockaddr {
	if a.Is6() {
		return &unix.SockaddrInet6{Addr: a.As16(), Port: port}
	}
	return &unix.SockaddrInet4{Addr: a.As4(), Port: port}
}

// What programs answer leads to a rule, and never round in a circle: what one
// computes cannot be refused when it is loaded.
func TestModuleSearchesByAnswers(t *testing.T) {
	newNamespace(t)
	client := newClient(t, genl.Dial)
	p := clientHost(t, client)
	p.Rules = nil
	for i := range 5 {
		p.Rules = append(p.Rules, genl.Rule{ID: uint32(i + 1)}) // left alone: all that it does is count
	}
	type programs = [][]bpf.RawInstruction
	ret := func(k uint32) []bpf.RawInstruction { return []bpf.RawInstruction{{Op: unix.BPF_RET, K: k}} }
	answer := func(program, rule uint32) uint32 { return uapi.AnswerGo | program<<uapi.AnswerShift | rule }
	goTo := func(program, rule uint32) []bpf.RawInstruction { return ret(answer(program, rule)) }
	computed := func(k uint32) []bpf.RawInstruction {
		return []bpf.RawInstruction{{Op: unix.BPF_LD | unix.BPF_IMM, K: k}, {Op: unix.BPF_RET | unix.BPF_A}}
	}
	const highest = 1<<(31-uapi.AnswerShift) - 1
	tests := []struct {
		name     string
		programs programs
		want     uint32 // rule, 0: none
	}{
		{"no program", nil, 0},
		{"a rule", programs{ret(4)}, 4},
		{"nothing, then a rule", programs{ret(0), ret(4), ret(1)}, 4},
		{"nothing at all", programs{ret(0), ret(0)}, 0},
		{"another program", programs{goTo(2, 0), ret(1), ret(3)}, 3},
		{"another program and nothing", programs{goTo(2, 0), ret(1), ret(0)}, 0},
		{"the smallest number is the first", programs{goTo(1, 2), goTo(2, 3), ret(4)}, 2},
		{"the smallest number is in the middle", programs{goTo(1, 3), goTo(2, 2), ret(4)}, 2},
		{"the smallest number is the last", programs{goTo(1, 4), goTo(2, 3), ret(2)}, 2},
		{"a rule, then nothing", programs{goTo(1, 5), ret(0)}, 5},
		{"the search ends with a rule", programs{ret(2), ret(1)}, 2},
		{"a program that is not there", programs{goTo(highest, 0), ret(1)}, 0},
		{"a program that is not there, a rule", programs{goTo(2, 3), ret(1)}, 3},
		{"a rule that is not there", programs{ret(6), ret(1)}, 0},
		{"no rule has so high a number", programs{ret(uapi.AnswerGo - 1), ret(1)}, 0},
		{"a rule that is not there, then one that is", programs{goTo(1, genl.MaxRules), ret(2)}, 2},
		{"computed", programs{computed(answer(2, 0)), ret(1), ret(3)}, 3},
		{"computed, itself", programs{computed(answer(0, 0)), ret(1)}, 0},
		{"computed, itself with a rule", programs{computed(answer(0, 2)), ret(1)}, 2},
		{"computed, the one before", programs{goTo(1, 3), computed(answer(0, 0)), ret(1)}, 3},
		{"most programs", programs{248: ret(2), 255: ret(1)}, 2},
	}
	for i, tt := range tests { // no subtests: they have a thread of their own
		for j, prog := range tt.programs {
			if prog == nil {
				tt.programs[j] = goTo(uint32(j+1), 0)
			}
		}
		p.Version, p.Programs = uint64(i+1), tt.programs
		if err := client.LoadPolicy(t.Context(), p); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		open(t, addr4(1), addr4(4), 30000+i, 1)
		rules, err := client.Rules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			if hit := r.Hits > 0; hit != (r.ID == tt.want) {
				t.Errorf("%s: rule %d matches: %t, want rule %d", tt.name, r.ID, hit, tt.want)
			}
		}
	}
}

// receiveNew returns the sessions of the next n events, all of which must tell
// of a new one.
func receiveNew(ctx context.Context, t *testing.T, events *genl.Events, n int) map[chain.SessionID]genl.Session {
	t.Helper()
	told := make(map[chain.SessionID]genl.Session)
	for len(told) < n {
		some, err := events.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range some {
			s, ok := e.(genl.SessionNew)
			if !ok {
				t.Fatalf("event %#v, want a new session", e)
			}
			told[s.Session.ID] = s.Session
		}
	}
	return told
}

func TestModuleSessions(t *testing.T) {
	newNamespace(t)
	client := newClient(t, genl.Dial)
	p := clientHost(t, client)
	events, err := client.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	const n = 500
	open(t, addr4(1), addr4(4), 20000, n)
	sessions, err := client.Sessions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	told := receiveNew(ctx, t, events, n)
	ports := make(map[uint16]bool)
	for _, s := range sessions {
		port := s.Super.Source.Port()
		ports[port] = true
		want := genl.Session{
			ID:            s.ID,
			Role:          chain.RoleClient,
			State:         chain.StateSYN,
			Super:         tuple("10.0.0.1:1 > 10.0.0.4:80 tcp"),
			Rule:          77,
			PolicyVersion: p.Version,
			Setup:         chain.SetupInBand,
			Hops:          p.Hosts,
			Right:         &genl.Subsession{OutPackets: 1},
		}
		want.Super.Source = netip.AddrPortFrom(want.Super.Source.Addr(), port)
		if s.Right == nil {
			t.Fatalf("session %v has no right side", s.ID)
		}
		src, dst := s.Right.Tuple.Source.Addr().String(), s.Right.Tuple.Destination.Addr().String()
		if src != "10.0.0.1" || dst != "10.0.0.2" {
			t.Errorf("subsession %v, want one from 10.0.0.1 to 10.0.0.2", s.Right.Tuple)
		}
		if s.Right.OutBytes == 0 {
			t.Errorf("subsession %v: no bytes sent", s.Right.Tuple)
		}
		if diff := cmp.Diff(want, s, equateAddrs,
			cmpopts.IgnoreFields(genl.Session{}, "Age", "Idle"),
			cmpopts.IgnoreFields(genl.Subsession{}, "Tuple", "OutBytes")); diff != "" {
			t.Fatalf("session (-want +got):\n%s", diff)
		}
		if s.Age > time.Minute || s.Idle > s.Age+time.Second {
			t.Errorf("session %v: age %v, idle %v", s.ID, s.Age, s.Idle)
		}
		if got := told[s.ID].Right; got == nil || got.Tuple != s.Right.Tuple {
			t.Errorf("session %v: event told of %+v, dump of %+v", s.ID, got, s.Right)
		}
	}
	if len(sessions) != n || len(ports) != n {
		t.Errorf("%d sessions of %d ports, want %d", len(sessions), len(ports), n)
	}
	wantCount(t, client, n)

	one := sessions[n/2].ID
	if err := client.DeleteSession(ctx, one); err != nil {
		t.Fatal(err)
	}
	some, err := events.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	end, ok := some[0].(genl.SessionEnd)
	if !ok || end.Session.ID != one || end.Reason != genl.ReasonEndDeleted {
		t.Errorf("event %#v, want the end of %v", some[0], one)
	}
	if _, err := client.Session(ctx, one); !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("Session after DeleteSession: %v, want %v", err, genl.ErrNotFound)
	}
	wantCount(t, client, n-1)
	rules, err := client.Rules(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]genl.RuleStatus{{Rule: p.Rules[0], Hits: n}}, rules); diff != "" {
		t.Errorf("Rules (-want +got):\n%s", diff)
	}
}

func wantCount(t *testing.T, client *genl.Client, n uint32) {
	t.Helper()
	info, err := client.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Sessions != n {
		t.Errorf("%d sessions, want %d", info.Sessions, n)
	}
}

// A table that grows under a dump makes it inconsistent, and no session that
// was there before is missing from it.
func TestModuleDumpSaysThatItWasInterrupted(t *testing.T) {
	newNamespace(t)
	client := newClient(t, genl.Dial)
	clientHost(t, client)
	open(t, addr4(1), addr4(4), 20000, 300)
	before, err := client.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	conn, family := rawConn(t, genl.Dial)
	// The kernel answers what fits into one read at once, the rest later.
	_, err = conn.Send(genetlink.Message{
		Header: genetlink.Header{Command: uapi.CmdGetSession, Version: uapi.GenlVersion},
	}, family.ID, netlink.Request|netlink.Dump)
	if err != nil {
		t.Fatal(err)
	}
	open(t, addr4(1), addr4(4), 30000, 5000)
	answers, headers, err := conn.Receive()
	if err != nil {
		t.Fatal(err)
	}
	interrupted := false
	for _, h := range headers {
		interrupted = interrupted || h.Header.Flags&netlink.DumpInterrupted != 0
	}
	if !interrupted {
		t.Errorf("none of %d messages says that the dump was interrupted", len(answers))
	}
	seen := make(map[string]bool)
	for _, a := range answers {
		all, err := netlink.UnmarshalAttributes(a.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range all {
			if at.Type == uapi.SessionAttrID {
				seen[string(at.Data)] = true
			}
		}
	}
	for _, s := range before {
		if !seen[string(s.ID[:])] {
			t.Errorf("session %v is missing", s.ID)
		}
	}
	// The client sorts it out.
	after, err := client.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(after) != 5300 {
		t.Errorf("%d sessions, want 5300", len(after))
	}
}
