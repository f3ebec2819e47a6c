// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/genlfake"
	"mbchain/genl/internal/uapi"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestConformance holds the module, and the fake that other tests trust, to
// the same behaviour. To run the module's half alone:
//
//	go test -c -o bin/genl.test ./genl
//	tests/vm/run -- bin/genl.test -test.run Conformance/module
func TestConformance(t *testing.T) {
	tests := []struct {
		name string
		run  func(t *testing.T, dial genl.Dialer)
	}{
		{"config", conformConfig},
		{"keys", conformKeys},
		{"policy", conformPolicy},
		{"policy of the largest size", conformLargePolicy},
		{"refused addition changes nothing", conformRollBack},
		{"one loader at a time", conformLoaders},
		{"unknown session", conformUnknownSession},
		{"counters", conformStats},
		{"policy event", conformPolicyEvent},
		{"end of waiting", conformEndOfWaiting},
		{"strictness", conformStrictness},
	}
	for _, tt := range tests {
		t.Run("fake/"+tt.name, func(t *testing.T) { tt.run(t, genlfake.New().Dial) })
		t.Run("module/"+tt.name, func(t *testing.T) {
			newNamespace(t)
			tt.run(t, genl.Dial)
		})
	}
}

// Every command needs CAP_NET_ADMIN, listening too.
func TestModulePermission(t *testing.T) {
	newNamespace(t)
	// The thread is this test's own and ends with it.
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		t.Fatal(err)
	}
	conn, family := rawConn(t, genl.Dial)
	for cmd := uint8(uapi.CmdGetInfo); cmd <= uapi.CmdGetStats; cmd++ {
		for _, flags := range []netlink.HeaderFlags{netlink.Acknowledge, netlink.Dump} {
			_, err := conn.Execute(genetlink.Message{
				Header: genetlink.Header{Command: cmd, Version: uapi.GenlVersion},
			}, family.ID, netlink.Request|flags)
			// Not every command has both forms.
			if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EOPNOTSUPP) {
				t.Errorf("command %d, flags %v: %v, want %v", cmd, flags, err, unix.EPERM)
			}
		}
	}
	client, err := genl.New()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Info(t.Context()); !errors.Is(err, genl.ErrPermission) {
		t.Errorf("Info: %v, want %v", err, genl.ErrPermission)
	}
	if events, err := client.Subscribe(); !errors.Is(err, genl.ErrPermission) {
		t.Errorf("Subscribe: %v, %v, want %v", events, err, genl.ErrPermission)
	}
}

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

func newClient(t *testing.T, dial genl.Dialer) *genl.Client {
	t.Helper()
	client, err := genl.NewClient(dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func conformConfig(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	info, err := client.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.ModuleVersion == "" || info.SessionBytes == 0 {
		t.Errorf("Info: %+v", info)
	}
	want := genl.Config{
		MaxSessions:  1000,
		SYNTimeout:   1500 * time.Millisecond,
		IdleTimeout:  864000 * time.Second,
		CloseTimeout: 100 * time.Millisecond,
		Freshness:    time.Hour,
		PortMin:      65472,
		PortMax:      65535,
	}
	if err := client.SetConfig(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if err := client.SetConfig(t.Context(), genl.Config{}); err != nil {
		t.Errorf("SetConfig to nothing: %v", err)
	}
	// One value is wrong: none changes.
	for _, wrong := range []genl.Config{
		{MaxSessions: 5, PortMin: 65473},
		{MaxSessions: 5, Freshness: 3601 * time.Second},
	} {
		if err := client.SetConfig(t.Context(), wrong); !errors.Is(err, genl.ErrRange) {
			t.Errorf("SetConfig(%+v): %v, want %v", wrong, err, genl.ErrRange)
		}
	}
	if info, err = client.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, info.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func conformKeys(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	for _, want := range [][]uint32{{7}, {4, 3, 2, 1}, nil, {9, 8}} {
		var keys []genl.Key
		for _, id := range want {
			keys = append(keys, genl.Key{ID: id})
		}
		if err := client.SetKeys(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		info, err := client.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, info.KeyIDs); diff != "" {
			t.Errorf("key ids (-want +got):\n%s", diff)
		}
	}
	for _, tt := range []struct {
		ids  []uint32
		want error
	}{
		{[]uint32{1, 2, 1}, genl.ErrExists},
		{[]uint32{1, 2, 3, 4, 5}, genl.ErrTooBig},
	} {
		var keys []genl.Key
		for _, id := range tt.ids {
			keys = append(keys, genl.Key{ID: id})
		}
		if err := client.SetKeys(t.Context(), keys); !errors.Is(err, tt.want) {
			t.Errorf("SetKeys with ids %d: %v, want %v", tt.ids, err, tt.want)
		}
	}
	info, err := client.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint32{9, 8}, info.KeyIDs); diff != "" {
		t.Errorf("key ids after refusals (-want +got):\n%s", diff)
	}
}

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
		Programs: uint32(len(p.Programs)),
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

// rawConn returns a connection for requests that the client would not make.
func rawConn(t *testing.T, dial genl.Dialer) (*genetlink.Conn, genetlink.Family) {
	t.Helper()
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	family, err := conn.GetFamily(uapi.GenlName)
	if err != nil {
		t.Fatal(err)
	}
	return conn, family
}

// order sends a request and returns the errno and explanation of the answer.
func order(t *testing.T, conn *genetlink.Conn, family genetlink.Family, cmd uint8, attrs []netlink.Attribute) (syscall.Errno, string) {
	t.Helper()
	return send(t, conn, family, cmd, netlink.Acknowledge, attrs)
}

func send(t *testing.T, conn *genetlink.Conn, family genetlink.Family, cmd uint8, flags netlink.HeaderFlags, attrs []netlink.Attribute) (syscall.Errno, string) {
	t.Helper()
	data, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Execute(genetlink.Message{
		Header: genetlink.Header{Command: cmd, Version: uapi.GenlVersion},
		Data:   data,
	}, family.ID, netlink.Request|flags)
	var (
		errno syscall.Errno
		oe    *netlink.OpError
	)
	if err != nil && (!errors.As(err, &errno) || !errors.As(err, &oe)) {
		t.Fatalf("command %d: %v", cmd, err)
	}
	if err == nil {
		return 0, ""
	}
	return errno, oe.Message
}

func attr(typ uint16, data ...byte) netlink.Attribute {
	return netlink.Attribute{Type: typ, Data: data}
}

func nest(typ uint16, attrs ...netlink.Attribute) netlink.Attribute {
	data, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		panic(err)
	}
	return netlink.Attribute{Type: typ | netlink.Nested, Data: data}
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

func conformUnknownSession(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	id := chain.SessionID{1}
	if _, err := client.Session(t.Context(), id); !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("Session: %v, want %v", err, genl.ErrNotFound)
	}
	if err := client.DeleteSession(t.Context(), id); !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("DeleteSession: %v, want %v", err, genl.ErrNotFound)
	}
	if sessions, err := client.Sessions(t.Context()); err != nil || len(sessions) != 0 {
		t.Errorf("Sessions: %v, %v", sessions, err)
	}
}

func conformStats(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	var want []genl.Counter
	for r := genl.ReasonNone + 1; r <= genl.ReasonMax; r++ {
		want = append(want, genl.Counter{Reason: r, Name: r.String()})
	}
	got, err := client.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
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

func conformEndOfWaiting(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	events, err := client.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	for range 2 { // it can be waited for again
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := events.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Receive: %v, want %v", err, context.DeadlineExceeded)
		}
		cancel()
	}
	ended := make(chan error)
	go func() {
		_, err := events.Receive(t.Context())
		ended <- err
	}()
	if err := events.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Receive: %v, want %v", err, os.ErrClosed)
	}
}
