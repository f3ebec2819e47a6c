// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/proto"
)

// middle is a session as a middlebox sees it.
func middle(first byte) genl.Session {
	tuple := func(src, dst string) chain.FiveTuple {
		return chain.FiveTuple{
			Source: netip.MustParseAddrPort(src), Destination: netip.MustParseAddrPort(dst), Protocol: chain.ProtocolTCP,
		}
	}
	return genl.Session{
		ID:    chain.SessionID{first, 0xab},
		Role:  chain.RoleMiddle,
		State: chain.StateEstablished,
		Super: tuple("10.0.0.1:40000", "10.0.0.4:80"),
		Left: &genl.Subsession{
			Tuple: tuple("10.0.0.1:61001", "10.0.0.2:61002"), InPackets: 1, InBytes: 2, OutPackets: 3, OutBytes: 4,
		},
		Right: &genl.Subsession{
			Tuple: tuple("10.0.0.2:61003", "10.0.0.4:61004"), InPackets: 5, InBytes: 6, OutPackets: 7, OutBytes: 8,
		},
		Hops: []netip.Addr{netip.MustParseAddr("10.0.0.4")},
		Age:  1500 * time.Millisecond,
		Idle: 20 * time.Millisecond,
	}
}

func wantMiddle(first byte) *proto.Session {
	return &proto.Session{
		Id:    []byte{first, 0xab, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		Role:  proto.Role_ROLE_MIDDLE,
		State: "established",
		Super: &proto.Tuple{Source: "10.0.0.1", SourcePort: 40000, Destination: "10.0.0.4", DestinationPort: 80, Protocol: 6},
		Left: &proto.Side{
			Tuple:     &proto.Tuple{Source: "10.0.0.1", SourcePort: 61001, Destination: "10.0.0.2", DestinationPort: 61002, Protocol: 6},
			InPackets: 1, InBytes: 2, OutPackets: 3, OutBytes: 4,
		},
		Right: &proto.Side{
			Tuple:     &proto.Tuple{Source: "10.0.0.2", SourcePort: 61003, Destination: "10.0.0.4", DestinationPort: 61004, Protocol: 6},
			InPackets: 5, InBytes: 6, OutPackets: 7, OutBytes: 8,
		},
		Hops:  []string{"10.0.0.4"},
		AgeMs: 1500, IdleMs: 20,
	}
}

func TestSessionsAreFoundByPrefixInOrder(t *testing.T) {
	k, module := start(t)
	client := middle(3)
	client.Role, client.Left, client.Rule, client.PolicyVersion = chain.RoleClient, nil, 4, 7
	wantClient := wantMiddle(3)
	wantClient.Role, wantClient.Left, wantClient.Rule, wantClient.PolicyVersion = proto.Role_ROLE_CLIENT, nil, 4, 7
	for _, s := range []genl.Session{client, middle(2), middle(1)} {
		module.AddSession(s)
	}
	id := wantMiddle(2).GetId()
	tests := []struct {
		name   string
		prefix []byte
		limit  int
		want   []*proto.Session
		more   bool
	}{
		{"all", nil, 0, []*proto.Session{wantMiddle(1), wantMiddle(2), wantClient}, false},
		{"as many as there are", nil, 3, []*proto.Session{wantMiddle(1), wantMiddle(2), wantClient}, false},
		{"some", nil, 2, []*proto.Session{wantMiddle(1), wantMiddle(2)}, true},
		{"by prefix", []byte{3}, 1, []*proto.Session{wantClient}, false},
		{"by id", id, 1, []*proto.Session{wantMiddle(2)}, false},
		{"none by prefix", []byte{3, 0}, 1, nil, false},
		{"none by id", append([]byte{9}, id[1:]...), 1, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, more, err := k.Sessions(t.Context(), test.prefix, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("sessions (-want +got):\n%s", diff)
			}
			if more != test.more {
				t.Errorf("more is %t, want %t", more, test.more)
			}
		})
	}
}

func TestSessionsOfIPv6(t *testing.T) {
	k, module := start(t)
	s := middle(1)
	end := func(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }
	s.Super.Source, s.Super.Destination = end("[fd00::1]:40000"), end("[fd00::4]:80")
	s.Left.Tuple.Source, s.Left.Tuple.Destination = end("[fd00::1]:61001"), end("[fd00::2]:61002")
	s.Right.Tuple.Source, s.Right.Tuple.Destination = end("[fd00::2]:61003"), end("[fd00::4]:61004")
	s.Hops = []netip.Addr{netip.MustParseAddr("fd00::4")}
	module.AddSession(s)
	want := wantMiddle(1)
	want.Super.Source, want.Super.Destination = "fd00::1", "fd00::4"
	want.Left.Tuple.Source, want.Left.Tuple.Destination = "fd00::1", "fd00::2"
	want.Right.Tuple.Source, want.Right.Tuple.Destination = "fd00::2", "fd00::4"
	want.Hops = []string{"fd00::4"}
	got, _, err := k.Sessions(t.Context(), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*proto.Session{want}, got, protocmp.Transform()); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
}
