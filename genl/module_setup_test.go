// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
)

// say sends one datagram from 10.0.0.1 to port 53 of 10.0.0.4. The sender of one
// that is dropped on its way out is told so.
func say(t *testing.T, port uint16) {
	t.Helper()
	conn, err := net.DialUDP("udp4",
		net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr4(1), port)),
		net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr4(4), 53)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("who is there")); err != nil && !errors.Is(err, unix.EPERM) {
		t.Fatal(err)
	}
}

// wanted returns the next session whose set-up is wanted.
func wanted(ctx context.Context, t *testing.T, events *genl.Events) genl.Session {
	t.Helper()
	some, err := events.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	e, ok := some[0].(genl.SetupWanted)
	if !ok || len(some) != 1 {
		t.Fatalf("events %#v, want one set-up", some)
	}
	return e.Session
}

func TestModuleSessionWaitsForItsSetup(t *testing.T) {
	tests := []struct {
		name string
		how  chain.Setup
		why  genl.Reason
		want chain.Setup
		sent uint64 // packets to the right
	}{
		{"done", chain.SetupDone, genl.ReasonNone, chain.SetupDone, 1},
		{"in-band after all", chain.SetupInBand, genl.ReasonNone, chain.SetupDone, 1},
		{"failed", chain.SetupFailed, genl.ReasonNoAnswer, chain.SetupBlocked, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			newNamespace(t)
			client := newClient(t, genl.Dial)
			p := clientHost(t, client)
			setups, err := client.SubscribeSetup()
			if err != nil {
				t.Fatal(err)
			}
			defer setups.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()

			say(t, 20000)
			s := wanted(ctx, t, setups)
			want := genl.Session{
				ID: s.ID, Role: chain.RoleClient, State: s.State, Setup: chain.SetupWaiting,
				Super: tuple("10.0.0.1:20000 > 10.0.0.4:53 udp"),
				Rule:  77, PolicyVersion: p.Version, Hops: p.Hosts,
				Right: &genl.Subsession{Tuple: s.Right.Tuple},
			}
			if diff := cmp.Diff(want, s, equateAddrs, cmpopts.IgnoreFields(genl.Session{}, "Age", "Idle")); diff != "" {
				t.Errorf("session (-want +got):\n%s", diff)
			}
			if err := client.FinishSetup(ctx, s.ID, tt.how, tt.why); err != nil {
				t.Fatal(err)
			}
			got, err := client.Session(ctx, s.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.Setup != tt.want || got.Right.OutPackets != tt.sent {
				t.Errorf("session is %v and sent %d packets, want %v and %d", got.Setup, got.Right.OutPackets, tt.want, tt.sent)
			}
			if err := client.FinishSetup(ctx, s.ID, tt.how, tt.why); !errors.Is(err, genl.ErrAlready) {
				t.Errorf("FinishSetup again: %v, want %v", err, genl.ErrAlready)
			}
		})
	}
}

// While nobody listens set-ups fail at once.
func TestModuleSetupWithoutListener(t *testing.T) {
	newNamespace(t)
	client := newClient(t, genl.Dial)
	clientHost(t, client)
	say(t, 20000)
	counters, err := client.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := counters[genl.ReasonNoListener-1].Value; n != 1 {
		t.Errorf("no_listener is %d, want 1", n)
	}
}

func TestModuleNewSession(t *testing.T) {
	newNamespace(t)
	client := newClient(t, genl.Dial)
	clientHost(t, client)
	r := genl.SessionRequest{
		ID:    chain.SessionID{1},
		Super: tuple("10.0.0.9:40000 > 10.0.0.4:53 udp"),
		Left:  tuple("10.0.0.9:50001 > 10.0.0.1:50002 udp"),
		Hops:  []netip.Addr{addr4(2), addr4(4)},
	}
	s, err := client.NewSession(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := &genl.Session{
		ID: r.ID, Role: chain.RoleMiddle, State: s.State, Super: r.Super, Hops: r.Hops,
		Setup: chain.SetupWaiting, Left: &genl.Subsession{Tuple: r.Left},
		Right: &genl.Subsession{Tuple: s.Right.Tuple},
	}
	if diff := cmp.Diff(want, s, equateAddrs, cmpopts.IgnoreFields(genl.Session{}, "Age", "Idle")); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	right := s.Right.Tuple
	if right.Source.Addr() != addr4(1) || right.Destination.Addr() != addr4(2) || right.Protocol != chain.ProtocolUDP {
		t.Errorf("right subsession %v, want one from 10.0.0.1 to 10.0.0.2", right)
	}
	again, err := client.NewSession(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if again.Right == nil || again.Right.Tuple != right || again.Known {
		t.Errorf("asked for again: %+v, want right subsession %v", again, right)
	}
	if err := client.FinishSetup(t.Context(), r.ID, chain.SetupDone, genl.ReasonNone); err != nil {
		t.Error(err)
	}
}

func TestModuleNewSessionRefuses(t *testing.T) {
	newNamespace(t)
	client := newClient(t, genl.Dial)
	clientHost(t, client)
	first := genl.SessionRequest{
		ID:    chain.SessionID{1},
		Super: tuple("10.0.0.9:40000 > 10.0.0.4:53 udp"),
		Left:  tuple("10.0.0.9:50001 > 10.0.0.1:50002 udp"),
		Hops:  []netip.Addr{addr4(2), addr4(4)},
	}
	if _, err := client.NewSession(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*genl.SessionRequest)
		want   error
		says   string
	}{
		{"for another host", func(r *genl.SessionRequest) { r.Left = tuple("10.0.0.9:1 > 10.0.0.7:2 udp") }, genl.ErrInvalid, "hdr_receiver"},
		{"not the server", func(r *genl.SessionRequest) { r.Hops = nil }, genl.ErrInvalid, "hdr_not_last"},
		{"loop", func(r *genl.SessionRequest) { r.Hops = []netip.Addr{addr4(1), addr4(4)} }, genl.ErrLoop, "hdr_loop"},
		{"no route", func(r *genl.SessionRequest) { r.Hops[0] = netip.MustParseAddr("192.0.2.1") }, genl.ErrNoRoute, "no_route"},
		{"id of another session", func(r *genl.SessionRequest) { r.ID = first.ID }, genl.ErrExists, "hdr_replay"},
	}
	for _, tt := range tests {
		r := genl.SessionRequest{
			ID:    chain.SessionID{2},
			Super: tuple("10.0.0.9:40001 > 10.0.0.4:53 udp"),
			Left:  tuple("10.0.0.9:50003 > 10.0.0.1:50004 udp"),
			Hops:  []netip.Addr{addr4(2), addr4(4)},
		}
		tt.change(&r)
		_, err := client.NewSession(t.Context(), r)
		var refused *genl.RefusedError
		if !errors.Is(err, tt.want) || !errors.As(err, &refused) || refused.Message != tt.says {
			t.Errorf("%s: %v, want %v: %s", tt.name, err, tt.want, tt.says)
		}
	}
}
