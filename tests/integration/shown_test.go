// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
)

// shown is what mbctl session show prints in JSON, as far as it is used here.
type shown struct {
	Session struct {
		ID       string
		State    string
		Complete bool
		Hosts    []struct{ Name, Address, Role string }
		Notes    []string

		Subsessions []struct{ Left, Right shownSide }
	}
}

type shownSide struct {
	Tuple      shownTuple
	InPackets  uint64 `json:"in_packets"`
	InBytes    uint64 `json:"in_bytes"`
	OutPackets uint64 `json:"out_packets"`
	OutBytes   uint64 `json:"out_bytes"`
}

type shownTuple struct {
	Source          netip.Addr
	SourcePort      uint16 `json:"source_port"`
	Destination     netip.Addr
	DestinationPort uint16 `json:"destination_port"`
}

func (s shownTuple) tuple() chain.FiveTuple {
	return chain.FiveTuple{
		Source:      netip.AddrPortFrom(s.Source, s.SourcePort),
		Destination: netip.AddrPortFrom(s.Destination, s.DestinationPort),
		Protocol:    chain.ProtocolTCP,
	}
}

// checkShown compares what mbctl draws with what the modules know.
func (l *lab) checkShown(t *testing.T, show shown, id chain.SessionID) {
	t.Helper()
	if !show.Session.Complete || show.Session.ID != id.String() || show.Session.State != "established" {
		t.Errorf("session is %+v, want %v complete and established", show.Session, id)
	}
	if len(show.Session.Notes) > 0 {
		t.Errorf("it has notes: %q", show.Session.Notes)
	}
	var names, want []string
	for _, h := range show.Session.Hosts {
		names = append(names, h.Name)
	}
	for _, h := range l.hosts {
		want = append(want, h.name)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Fatalf("hosts (-want +got):\n%s", diff)
	}
	for i, sub := range show.Session.Subsessions {
		left, err := l.hosts[i].module.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		right, err := l.hosts[i+1].module.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if got := sub.Left.Tuple.tuple(); got != left.Right.Tuple || got != right.Left.Tuple || got != sub.Right.Tuple.tuple() {
			t.Errorf("subsession %d is %v, want that of both hosts: %v, %v", i+1, got, left.Right.Tuple, right.Left.Tuple)
		}
		// Everything that was sent has come: the session is silent now.
		sent, came := sub.Left, sub.Right
		if sent.OutPackets != came.InPackets || sent.OutBytes != came.InBytes ||
			came.OutPackets != sent.InPackets || came.OutBytes != sent.InBytes {
			t.Errorf("subsession %d: %s counts %+v, %s counts %+v, want equal figures", i+1, l.hosts[i].name, sent, l.hosts[i+1].name, came)
		}
	}
}
