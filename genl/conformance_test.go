// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
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
		{"set-up that cannot be", conformSetup},
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
	if info.ModuleVersion == "" || info.SessionBytes == 0 || info.TableBytes == 0 {
		t.Errorf("Info: %+v", info)
	}
	if diff := cmp.Diff(genlfake.New().Config(), info.Config); diff != "" {
		t.Errorf("config at first (-fake +got):\n%s", diff)
	}
	want := genl.Config{
		MaxSessions:  1000,
		SYNTimeout:   1500 * time.Millisecond,
		IdleTimeout:  864000 * time.Second,
		CloseTimeout: 100 * time.Millisecond,
		Freshness:    time.Hour,
		PortMin:      65472,
		PortMax:      65535,

		UDPTimeout:       time.Second,
		UDPStreamTimeout: 864000 * time.Second,
		SetupTimeout:     time.Minute,
		Gateway:          new(true),
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
		{MaxSessions: 5, SetupTimeout: 99 * time.Millisecond},
		{MaxSessions: 5, UDPTimeout: 999 * time.Millisecond},
		{MaxSessions: 5, UDPStreamTimeout: 864001 * time.Second},
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
	for _, how := range []chain.Setup{chain.SetupDone, chain.SetupInBand, chain.SetupFailed} {
		if err := client.FinishSetup(t.Context(), id, how, genl.ReasonNone); !errors.Is(err, genl.ErrNotFound) {
			t.Errorf("FinishSetup to %v: %v, want %v", how, err, genl.ErrNotFound)
		}
	}
	if peers, err := client.Peers(t.Context()); err != nil || len(peers) != 0 {
		t.Errorf("Peers: %v, %v", peers, err)
	}
}

// conformSetup asks for what no host can install.
func conformSetup(t *testing.T, dial genl.Dialer) {
	client := newClient(t, dial)
	tests := []struct {
		name   string
		change func(*genl.SessionRequest)
	}{
		{"left of another protocol", func(r *genl.SessionRequest) { r.Left.Protocol = chain.ProtocolTCP }},
		{"left of another family", func(r *genl.SessionRequest) { r.Left = tuple("[fd00::1]:50001 > [fd00::2]:50002 udp") }},
		{"port 0", func(r *genl.SessionRequest) { r.Super.Source = netip.AddrPortFrom(r.Super.Source.Addr(), 0) }},
		{"hop of a group", func(r *genl.SessionRequest) { r.Hops[0] = netip.MustParseAddr("224.0.0.1") }},
		{"16 hops", func(r *genl.SessionRequest) { r.Hops = slices.Repeat(r.Hops[:1], genl.MaxHops) }},
	}
	for _, tt := range tests {
		r := request(1)
		tt.change(&r)
		s, err := client.NewSession(t.Context(), r)
		if !errors.Is(err, genl.ErrInvalid) && !errors.Is(err, genl.ErrRange) && !errors.Is(err, genl.ErrTooBig) {
			t.Errorf("%s: %v, %v, want a refusal", tt.name, s, err)
		}
	}
	events, err := client.SubscribeSetup()
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Close(); err != nil {
		t.Error(err)
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
