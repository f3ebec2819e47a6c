// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"net/netip"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/genlfake"

	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/bpf"
)

var equateAddrs = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

// fake returns a module and a client of it.
func fake(t *testing.T) (*genlfake.Kernel, *genl.Client) {
	t.Helper()
	kernel := genlfake.New()
	client, err := genl.NewClient(kernel.Dial)
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if n := kernel.Connections(); n != 0 {
			t.Errorf("%d connections left open", n)
		}
	})
	return kernel, client
}

// tuple parses a five-tuple.
func tuple(s string) chain.FiveTuple {
	t, err := chain.ParseFiveTuple(s)
	if err != nil {
		panic(err)
	}
	return t
}

// middle is a session at a middlebox.
func middle(id byte) genl.Session {
	return genl.Session{
		ID:    chain.SessionID{id},
		Role:  chain.RoleMiddle,
		State: chain.StateEstablished,
		Super: tuple("10.0.0.1:40000 > 10.0.0.4:80 tcp"),
		Left: &genl.Subsession{
			Tuple:     tuple("10.0.0.1:50001 > 10.0.0.2:50002 tcp"),
			InPackets: 10, InBytes: 1000, OutPackets: 20, OutBytes: 30000,
		},
		Right: &genl.Subsession{
			Tuple:     tuple("10.0.0.2:50003 > 10.0.0.4:50004 tcp"),
			InPackets: 20, InBytes: 30000, OutPackets: 10, OutBytes: 1000,
		},
		Hops: []netip.Addr{netip.MustParseAddr("10.0.0.4")},
		Age:  1500 * time.Millisecond,
		Idle: 3 * time.Millisecond,
	}
}

// waiting is a UDP session at its client that waits for the agents.
func waiting(id byte) genl.Session {
	s := clientSession(id)
	s.Super.Protocol, s.Right.Tuple.Protocol = chain.ProtocolUDP, chain.ProtocolUDP
	s.State, s.Setup = chain.StateSYN, chain.SetupWaiting
	return s
}

// request asks a middlebox for a UDP session.
func request(id byte) genl.SessionRequest {
	return genl.SessionRequest{
		ID:    chain.SessionID{id},
		Super: tuple("10.0.0.1:40000 > 10.0.0.4:53 udp"),
		Left:  tuple("10.0.0.1:50001 > 10.0.0.2:50002 udp"),
		Hops:  []netip.Addr{netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.4")},
	}
}

// clientSession is a session at its client.
func clientSession(id byte) genl.Session {
	s := middle(id)
	s.Role, s.Left = chain.RoleClient, nil
	s.Rule, s.PolicyVersion = 7, 1<<40
	return s
}

func policy(rules int) *genl.Policy {
	p := &genl.Policy{
		Version: 1 << 33,
		Seed:    [genl.KeyLen]byte{1, 2, 3},
		Types: []genl.Type{
			{Name: "firewall", Instances: []genl.Instance{
				{Addr: netip.MustParseAddr("10.0.0.2"), Weight: 2},
				{Addr: netip.MustParseAddr("10.0.0.3"), Weight: 65535},
			}},
			{Name: "ids", Instances: []genl.Instance{{Addr: netip.MustParseAddr("10.0.0.3"), Weight: 1}}},
		},
		Programs: [][]bpf.RawInstruction{{{Op: 6, K: 1}}},
		Hosts:    []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.4")},
	}
	for i := range rules {
		r := genl.Rule{ID: uint32(i + 3), OnFailure: genl.OnFailure(i % 2), Setup: genl.SetupWay(i % 3)}
		if i > 0 {
			r.Types = []uint16{0, 1, 0}
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}
