// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"

	"github.com/google/go-cmp/cmp"
)

func TestSetupIsWantedOfWhoListens(t *testing.T) {
	kernel, client, events := subscribe(t)
	if kernel.SetupListened() {
		t.Error("who listens to events undertook to set sessions up")
	}
	setups, err := client.SubscribeSetup()
	if err != nil {
		t.Fatal(err)
	}
	defer setups.Close()
	if !kernel.SetupListened() {
		t.Error("nobody undertook to set sessions up")
	}
	kernel.AddSession(middle(1))
	kernel.AddSession(waiting(2))
	want := []genl.Event{genl.SetupWanted{Session: waiting(2)}}
	if diff := cmp.Diff(want, receive(t, setups, 1), equateAddrs); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	want = []genl.Event{genl.SessionNew{Session: middle(1)}, genl.SessionNew{Session: waiting(2)}}
	if diff := cmp.Diff(want, receive(t, events, 2), equateAddrs); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	kernel.LoseEvents()
	if _, err := setups.Receive(t.Context()); !errors.Is(err, genl.ErrEventsLost) {
		t.Errorf("Receive: %v, want %v", err, genl.ErrEventsLost)
	}
}

func TestFinishSetup(t *testing.T) {
	tests := []struct {
		name string
		how  chain.Setup
		why  genl.Reason
		want chain.Setup
	}{
		{"done", chain.SetupDone, genl.ReasonNone, chain.SetupDone},
		{"in-band after all", chain.SetupInBand, genl.ReasonNone, chain.SetupDone},
		{"no answer", chain.SetupFailed, genl.ReasonNoAnswer, chain.SetupBlocked},
		{"refused", chain.SetupFailed, genl.ReasonPeerRefused, chain.SetupBlocked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kernel, client := fake(t)
			kernel.AddSession(waiting(1))
			id := waiting(1).ID
			if err := client.FinishSetup(t.Context(), id, tt.how, tt.why); err != nil {
				t.Fatal(err)
			}
			s, err := client.Session(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if s.Setup != tt.want {
				t.Errorf("session is %v, want %v", s.Setup, tt.want)
			}
			if err := client.FinishSetup(t.Context(), id, tt.how, tt.why); !errors.Is(err, genl.ErrAlready) {
				t.Errorf("FinishSetup again: %v, want %v", err, genl.ErrAlready)
			}
		})
	}
}

func TestNewSession(t *testing.T) {
	kernel, client := fake(t)
	r := request(1)
	got, err := client.NewSession(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := &genl.Session{
		ID: r.ID, Role: chain.RoleMiddle, Super: r.Super, Hops: r.Hops, Setup: chain.SetupWaiting,
		Left:  &genl.Subsession{Tuple: r.Left},
		Right: &genl.Subsession{Tuple: tuple("10.0.0.2:40000 > 10.0.0.3:40000 udp")},
	}
	if diff := cmp.Diff(want, got, equateAddrs); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	again, err := client.NewSession(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, again, equateAddrs); diff != "" {
		t.Errorf("asked for again (-first +second):\n%s", diff)
	}
	last := request(2)
	last.Hops, last.Left = nil, tuple("10.0.0.1:50003 > 10.0.0.2:50004 udp")
	if got, err = client.NewSession(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if got.Role != chain.RoleServer || got.Right != nil || got.Setup != chain.SetupDone {
		t.Errorf("at the server: %+v", got)
	}
	if n := len(kernel.Sessions()); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
}

// What came in-band is known, and at a middlebox it waits from then on.
func TestNewSessionThatStoodAlready(t *testing.T) {
	kernel, client := fake(t)
	s := middle(1)
	s.Setup, s.State = chain.SetupInBand, chain.StateSYN
	kernel.AddSession(s)
	r := genl.SessionRequest{ID: s.ID, Super: s.Super, Left: s.Left.Tuple, Hops: s.Hops}
	for _, known := range []bool{true, false} {
		got, err := client.NewSession(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if got.Known != known || got.Setup != chain.SetupWaiting {
			t.Errorf("known %t, %v, want known %t, waiting", got.Known, got.Setup, known)
		}
	}
}

func TestNewSessionRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*genl.SessionRequest)
		want   error
		says   string
	}{
		{"id is another's", func(r *genl.SessionRequest) { r.Left = tuple("10.0.0.1:1 > 10.0.0.2:2 udp") }, genl.ErrExists, "hdr_replay"},
		{"left is another's", func(r *genl.SessionRequest) { r.ID = chain.SessionID{2} }, genl.ErrExists, "tuple_taken"},
		{"loop", func(r *genl.SessionRequest) {
			r.ID, r.Left = chain.SessionID{2}, tuple("10.0.0.1:1 > 10.0.0.3:2 udp")
		}, genl.ErrLoop, "hdr_loop"},
		{"full", func(r *genl.SessionRequest) {
			r.ID, r.Left = chain.SessionID{2}, tuple("10.0.0.1:1 > 10.0.0.2:2 udp")
		}, genl.ErrTooBig, "table_full"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, client := fake(t)
			if err := client.SetConfig(t.Context(), genl.Config{MaxSessions: 1}); err != nil {
				t.Fatal(err)
			}
			if _, err := client.NewSession(t.Context(), request(1)); err != nil {
				t.Fatal(err)
			}
			r := request(1)
			tt.change(&r)
			_, err := client.NewSession(t.Context(), r)
			var refused *genl.RefusedError
			if !errors.Is(err, tt.want) || !errors.As(err, &refused) || refused.Message != tt.says {
				t.Errorf("NewSession: %v, want %v: %s", err, tt.want, tt.says)
			}
		})
	}
}

func TestPeers(t *testing.T) {
	kernel, client := fake(t)
	want := []genl.Peer{
		{Addr: netip.MustParseAddr("10.0.0.2"), Expires: 90 * time.Second, Sessions: 3},
		{Addr: netip.MustParseAddr("fd00::2")},
	}
	kernel.SetPeers(want)
	got, err := client.Peers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, equateAddrs); diff != "" {
		t.Errorf("Peers (-want +got):\n%s", diff)
	}
}
