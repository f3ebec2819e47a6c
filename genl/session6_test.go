// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"net/netip"
	"testing"

	"mbchain/genl"

	"github.com/google/go-cmp/cmp"
)

// middle6 is a session over IPv6 at a middlebox.
func middle6(id byte) genl.Session {
	s := middle(id)
	s.Super = tuple("[fd00::1]:40000 > [fd00::4]:80 tcp")
	s.Left.Tuple = tuple("[fd00::1]:50001 > [fd00::2]:50002 tcp")
	s.Right.Tuple = tuple("[fd00::2]:50003 > [fd00::4]:50004 tcp")
	s.Hops = []netip.Addr{netip.MustParseAddr("fd00::4")}
	return s
}

func TestSessionsOfBothFamilies(t *testing.T) {
	kernel, client, events := subscribe(t)
	server := middle6(4)
	server.Right, server.Hops = nil, nil
	want := []genl.Session{middle(1), middle6(2), clientSession(3), server}
	for _, s := range want {
		kernel.AddSession(s)
	}
	got, err := client.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, equateAddrs); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	one, err := client.Session(t.Context(), want[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want[1], one, equateAddrs); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	kernel.EndSession(want[1].ID, genl.ReasonEndIdle)
	wantEvents := []genl.Event{
		genl.SessionNew{Session: want[0]}, genl.SessionNew{Session: want[1]},
		genl.SessionNew{Session: want[2]}, genl.SessionNew{Session: want[3]},
		genl.SessionEnd{Session: want[1], Reason: genl.ReasonEndIdle},
	}
	if diff := cmp.Diff(wantEvents, receive(t, events, len(wantEvents)), equateAddrs); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
