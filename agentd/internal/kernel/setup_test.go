// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/agentd/internal/session"
	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/genlfake"
	"mbchain/proto"
)

// waiting is a session that waits at its client.
func waiting(first byte) genl.Session {
	s := middle(first)
	s.Role, s.Left, s.State, s.Setup = chain.RoleClient, nil, chain.StateSYN, chain.SetupWaiting
	return s
}

func wantPart(first byte) session.Part {
	s := waiting(first)
	return session.Part{ID: s.ID, Super: s.Super, Right: s.Right.Tuple, Hops: s.Hops}
}

func request(first byte) session.Syn {
	s := middle(first)
	return session.Syn{ID: s.ID, Super: s.Super, Wire: s.Left.Tuple, Hops: s.Hops, Within: time.Second}
}

func TestWatchSetupHandsOverWhatWaits(t *testing.T) {
	k, module := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan SetupEvent)
	ended := make(chan error, 1)
	go func() { ended <- k.WatchSetup(ctx, func(e SetupEvent) { events <- e }) }()
	want := func(want SetupEvent) {
		t.Helper()
		if diff := cmp.Diff(want, <-events, compareNet); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	}
	want(SetupEvent{Resync: true})
	if !module.SetupListened() {
		t.Error("the module was not told that there is an agent")
	}
	module.AddSession(middle(1))
	module.AddSession(waiting(2))
	wanted := wantPart(2)
	want(SetupEvent{Wanted: &wanted})
	module.LoseEvents()
	want(SetupEvent{Resync: true})
	got, err := k.Waiting(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]session.Part{wanted}, got, compareNet); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
	for id, want := range map[chain.SessionID]bool{middle(1).ID: false, waiting(2).ID: true, {9}: false} {
		if waits, err := k.Waits(t.Context(), id); waits != want || err != nil {
			t.Errorf("%v waits: %t, %v, want %t", id.Short(), waits, err, want)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("watch: %v, want canceled", err)
	}
}

func TestInstall(t *testing.T) {
	k, module := start(t)
	syn := request(1)
	got, err := k.Install(t.Context(), syn)
	if err != nil {
		t.Fatal(err)
	}
	want := session.Part{ID: syn.ID, Super: syn.Super, Right: got.Right, Hops: syn.Hops}
	if diff := cmp.Diff(want, got, compareNet); diff != "" {
		t.Errorf("part (-want +got):\n%s", diff)
	}
	if got.Right.Source.Addr() != netip.MustParseAddr("10.0.0.2") || got.Right.Destination.Addr() != syn.Hops[0] {
		t.Errorf("right subsession %v", got.Right)
	}
	last := request(2)
	last.Hops = nil
	last.Wire.Source = netip.MustParseAddrPort("10.0.0.1:61009")
	got, err = k.Install(t.Context(), last)
	if err != nil || len(got.Hops) != 0 || got.Right != (chain.FiveTuple{}) {
		t.Errorf("at the server: %+v, %v", got, err)
	}
	taken := request(3)
	_, err = k.Install(t.Context(), taken)
	var refused *NotInstalledError
	if !errors.As(err, &refused) || refused.Reason != "tuple_taken" {
		t.Errorf("taken tuple: %v", err)
	}
	module.Refuse(genlfake.NewSession, syscall.EINVAL, "Unknown attribute type")
	if _, err = k.Install(t.Context(), taken); err == nil || errors.As(err, &refused) {
		t.Errorf("refused for another reason: %v", err)
	}
}

func TestRelease(t *testing.T) {
	tests := []struct {
		name  string
		setup chain.Setup // none: no session
		good  bool
	}{
		{"waits", chain.SetupWaiting, true},
		{"set up already", chain.SetupDone, true},
		{"answered in-band", chain.SetupInBand, true},
		{"given up", chain.SetupBlocked, false},
		{"gone", chain.SetupUnspecified, false},
	}
	for _, test := range tests {
		for _, known := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				k, module := start(t)
				s := waiting(1)
				s.Setup = test.setup
				if s.Setup != chain.SetupUnspecified {
					module.AddSession(s)
				}
				if err := k.Release(t.Context(), s.ID, known); (err == nil) != test.good {
					t.Errorf("release: %v, want success: %t", err, test.good)
				}
			})
		}
	}
}

func TestFail(t *testing.T) {
	k, module := start(t)
	module.AddSession(waiting(1))
	module.AddSession(middle(2))
	for _, id := range []chain.SessionID{waiting(1).ID, middle(2).ID, {9}} {
		for _, why := range []session.Why{session.Refused, session.NoAnswer} {
			if err := k.Fail(t.Context(), id, why); err != nil {
				t.Errorf("fail %v: %v", id.Short(), err)
			}
		}
	}
	if s := module.Sessions(); s[0].Setup != chain.SetupBlocked || s[1].Setup != chain.SetupUnspecified {
		t.Errorf("sessions are %v and %v", s[0].Setup, s[1].Setup)
	}
	counters, err := k.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c := counters[genl.ReasonPeerRefused-1]; c.GetValue() != 1 {
		t.Errorf("%v, want one", c)
	}
}

func TestDelete(t *testing.T) {
	k, module := start(t)
	module.AddSession(middle(1))
	module.AddSession(waiting(2))
	for _, step := range []struct {
		id     chain.SessionID
		always bool
		left   int
	}{
		{middle(1).ID, false, 2}, // an answer has passed
		{waiting(2).ID, false, 1},
		{waiting(2).ID, true, 1},
		{middle(1).ID, true, 0},
	} {
		if err := k.Delete(t.Context(), step.id, step.always); err != nil {
			t.Errorf("delete %v: %v", step.id.Short(), err)
		}
		if n := len(module.Sessions()); n != step.left {
			t.Errorf("delete %v, always %t: %d sessions left, want %d", step.id.Short(), step.always, n, step.left)
		}
	}
}

func TestPeers(t *testing.T) {
	k, module := start(t)
	module.SetPeers([]genl.Peer{
		{Addr: netip.MustParseAddr("fd00::2"), Sessions: 3},
		{Addr: netip.MustParseAddr("10.0.0.3"), Expires: 90 * time.Second},
	})
	got, err := k.Peers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []*proto.Peer{{Address: "10.0.0.3", ExpiresMs: 90000}, {Address: "fd00::2", Sessions: 3}}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

func TestSessionsSayHowTheyWereSetUp(t *testing.T) {
	k, module := start(t)
	module.AddSession(waiting(1))
	got, _, err := k.Sessions(t.Context(), nil, 0)
	if err != nil || len(got) != 1 || got[0].GetSetup() != "waiting" {
		t.Errorf("sessions: %v, %v", got, err)
	}
}

func TestSetupWithoutAModule(t *testing.T) {
	k, module := start(t)
	module.Unload()
	ctx, id := t.Context(), chain.SessionID{1}
	for name, err := range map[string]error{
		"watch":   k.WatchSetup(ctx, func(SetupEvent) {}),
		"release": k.Release(ctx, id, false),
		"fail":    k.Fail(ctx, id, session.NoAnswer),
		"delete":  k.Delete(ctx, id, true),
	} {
		if !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %v, want ErrAbsent", name, err)
		}
	}
}
