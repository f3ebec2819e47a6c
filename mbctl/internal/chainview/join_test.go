// SPDX-License-Identifier: Apache-2.0

package chainview

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/proto"
)

// names is who has which address in these tests.
var names = map[string]string{
	"10.0.0.1": "client", "10.0.0.2": "mb1", "10.0.0.3": "mb2", "10.0.0.5": "mb3", "10.0.0.4": "server",
}

func tuple(source, destination string, port uint32) *proto.Tuple {
	return &proto.Tuple{Source: source, SourcePort: port, Destination: destination,
		DestinationPort: port + 1, Protocol: 6}
}

func side(t *proto.Tuple) *proto.Side { return &proto.Side{Tuple: t, InPackets: 1, OutPackets: 1} }

var super = tuple("10.0.0.1", "10.0.0.4", 79)

func record(host string, role proto.Role, left, right *proto.Side, hops ...string) *proto.Session {
	return &proto.Session{Id: []byte{0xab}, Host: host, Role: role, Super: super, State: "established",
		Left: left, Right: right, Hops: hops}
}

// parts are the records of client - mb1 - mb2 - server, in this order.
func parts() []*proto.Session {
	first, second, third := tuple("10.0.0.1", "10.0.0.2", 100), tuple("10.0.0.2", "10.0.0.3", 200), tuple("10.0.0.3", "10.0.0.4", 300)
	client := record("client", proto.Role_ROLE_CLIENT, nil, side(first), "10.0.0.2", "10.0.0.3", "10.0.0.4")
	client.Rule, client.PolicyVersion = 3, 9
	return []*proto.Session{
		client,
		record("mb1", proto.Role_ROLE_MIDDLE, side(first), side(second), "10.0.0.3", "10.0.0.4"),
		record("mb2", proto.Role_ROLE_MIDDLE, side(second), side(third), "10.0.0.4"),
		record("server", proto.Role_ROLE_SERVER, side(third), nil),
	}
}

// sketch writes a chain in one line: hosts with "?" for no record, and
// between them "-" for a subsession both ends reported, "<" and ">" for one
// that only the left or the right end did, "!" for one that is translated,
// "." for an unknown one, "~" for a gap, "=" for none.
func sketch(c Chain) string {
	var b strings.Builder
	for i, h := range c.Hosts {
		b.WriteString(h.Label())
		if h.Record == nil {
			b.WriteString("?")
		}
		if i == len(c.Links) {
			break
		}
		l := c.Links[i]
		switch {
		case l.Gap:
			b.WriteString(" ~ ")
		case l.Plain:
			b.WriteString(" = ")
		case l.Translated():
			b.WriteString(" ! ")
		case l.Left != nil && l.Right != nil:
			b.WriteString(" - ")
		case l.Left != nil:
			b.WriteString(" < ")
		case l.Right != nil:
			b.WriteString(" > ")
		default:
			b.WriteString(" . ")
		}
	}
	return b.String()
}

func TestJoinMakesAChainOfWhatHostsReport(t *testing.T) {
	tests := []struct {
		name    string
		records func() []*proto.Session
		names   map[string]string
		want    string
		notes   []string
	}{
		{name: "all report", records: parts, names: names, want: "client - mb1 - mb2 - server"},
		{name: "no host is known by its address", records: parts, want: "client - mb1 - mb2 - server"},
		{
			name:    "no middlebox",
			records: func() []*proto.Session { p := parts(); p[0].Hops = p[0].Hops[2:]; return []*proto.Session{p[0], p[3]} },
			want:    "client ! server", names: names,
		},
		{name: "middle missing", records: without(1), names: names, want: "client < mb1? > mb2 - server"},
		{name: "middle missing and nameless", records: without(1), want: "client < 10.0.0.2? > mb2 - server"},
		{name: "two missing", records: without(1, 2), names: names, want: "client < mb1? . mb2? > server"},
		{name: "server missing", records: without(3), names: names, want: "client - mb1 - mb2 < server?"},
		{name: "client missing", records: without(0), names: names, want: "client? > mb1 - mb2 - server"},
		{name: "client and its neighbour missing", records: without(0, 1), names: names, want: "client? ~ mb2 - server"},
		{name: "only the server reports", records: without(0, 1, 2), names: names, want: "client? ~ server"},
		{name: "only the client reports", records: without(1, 2, 3), names: names, want: "client < mb1? . mb2? . server?"},
		{name: "gateway for a client without mbchain", records: gatewayed, names: names, want: "10.9.0.7? = client - mb1 - mb2 - server"},
		{
			name:    "client with two addresses",
			records: gatewayed,
			names:   map[string]string{"10.9.0.7": "client"}, want: "client - mb1 - mb2 - server",
		},
		{
			name: "translated between hosts",
			records: func() []*proto.Session {
				p := parts()
				p[3].Left = side(tuple("192.0.2.1", "10.0.0.4", 300))
				return p
			},
			names: names, want: "client - mb1 - mb2 ! server",
		},
		{
			name: "asked twice: the newer answer counts",
			records: func() []*proto.Session {
				old := parts()[1]
				old.Right.InPackets, old.Right.Tuple = 0, tuple("10.0.0.2", "10.0.0.9", 1)
				return append(parts(), old)
			},
			names: names, want: "client - mb1 - mb2 - server",
		},
		{
			name: "one host at two places",
			records: func() []*proto.Session {
				again := record("mb1", proto.Role_ROLE_MIDDLE, nil, nil, "10.0.0.4")
				return append(parts(), again)
			},
			names: names, want: "client - mb1 - mb2 - server",
			notes: []string{"mb1 reports the session twice, one hop before the server and 2 hops before the server"},
		},
		{
			name: "two hosts at one place: who has the address stays",
			records: func() []*proto.Session {
				return append(parts(), record("abel", proto.Role_ROLE_MIDDLE, nil, nil, "10.0.0.4"))
			},
			names: names, want: "client - mb1 - mb2 - server",
			notes: []string{"mb2 and abel both stand one hop before the server: abel is left out"},
		},
		{
			name: "wrong role",
			records: func() []*proto.Session {
				p := parts()
				p[3].Role = proto.Role_ROLE_MIDDLE
				return p
			},
			names: names, want: "client - mb1 - mb2 - server",
			notes: []string{"server reports the role middle where the server stands"},
		},
		{
			name: "server without an agent",
			records: func() []*proto.Session {
				p := parts()[:3]
				p[0].Hops, p[1].Hops, p[2].Hops = p[0].Hops[:2], p[1].Hops[:1], nil
				return p
			},
			names: map[string]string{"10.0.0.2": "mb1", "10.0.0.3": "mb2"}, want: "client - mb1 - mb2 < 10.0.0.4?",
		},
		{
			name: "another route",
			records: func() []*proto.Session {
				p := parts()
				p[1].Hops = []string{"10.0.0.5", "10.0.0.4"}
				return p
			},
			names: names, want: "client - mb1 - mb2 - server",
			notes: []string{"mb1 sends on to 10.0.0.5, but the chain set up is 10.0.0.3"},
		},
		{
			name: "another host's part",
			records: func() []*proto.Session {
				p := parts()
				p[2].Host = "mb3"
				return p
			},
			names: names, want: "client - mb1 - mb3 - server",
			notes: []string{"mb3 reports the part of 10.0.0.3, which is mb2"},
		},
		{
			name: "another supersession behind an NF that translates",
			records: func() []*proto.Session {
				p := parts()
				p[3].Super = tuple("198.51.100.9", "10.0.0.4", 79)
				return p
			},
			names: names, want: "client - mb1 - mb2 - server",
			notes: []string{"server knows the supersession as 198.51.100.9:79 -> 10.0.0.4:80"},
		},
		{
			name: "absurdly long route",
			records: func() []*proto.Session {
				return append(parts(), record("mb9", proto.Role_ROLE_MIDDLE, nil, nil, make([]string, 17)...))
			},
			names: names, want: "client - mb1 - mb2 - server",
			notes: []string{"mb9 lists 17 hosts right of it, more than there can be: left out"},
		},
		{
			name:    "empty record",
			records: func() []*proto.Session { return []*proto.Session{{Id: []byte{0xab}}} },
			want:    "?? . ?",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			for range 50 {
				records := tt.records()
				random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
				chains := Join(records, tt.names)
				if len(chains) != 1 {
					t.Fatalf("Join made %d chains, want 1", len(chains))
				}
				if diff := cmp.Diff(tt.want, sketch(chains[0])); diff != "" {
					t.Errorf("chain (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.notes, chains[0].Notes); diff != "" {
					t.Errorf("notes (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func without(missing ...int) func() []*proto.Session {
	return func() []*proto.Session {
		var rest []*proto.Session
		for i, p := range parts() {
			if !slices.Contains(missing, i) {
				rest = append(rest, p)
			}
		}
		return rest
	}
}

// gatewayed are parts of a session that the host client carries for another.
func gatewayed() []*proto.Session {
	all := parts()
	for _, p := range all {
		p.Super = tuple("10.9.0.7", "10.0.0.4", 79)
	}
	return all
}

func TestJoinOfAGatewayIsComplete(t *testing.T) {
	c := Join(gatewayed(), names)[0]
	if !c.Complete() || c.Rule != 3 || len(c.Hosts) != 5 {
		t.Fatalf("complete %v, rule %d, %d hosts, want true, 3, 5", c.Complete(), c.Rule, len(c.Hosts))
	}
	client, gateway := c.Hosts[0], c.Hosts[1]
	if !client.Agentless || client.Role != proto.Role_ROLE_CLIENT || client.Gateway {
		t.Errorf("the client is %+v, want it without an agent", client)
	}
	if gateway.Role != proto.Role_ROLE_MIDDLE || !gateway.Gateway || gateway.Address != "10.0.0.1" {
		t.Errorf("the gateway is %+v", gateway)
	}
}

func TestJoinKeepsWhatTheClientKnows(t *testing.T) {
	c := Join(parts(), names)[0]
	if c.Rule != 3 || c.PolicyVersion != 9 || !c.Complete() {
		t.Errorf("rule %d, version %d, complete %v, want 3, 9, true", c.Rule, c.PolicyVersion, c.Complete())
	}
	var addresses []string
	for _, h := range c.Hosts {
		addresses = append(addresses, h.Address)
	}
	if diff := cmp.Diff([]string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"}, addresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	if Join(without(2)(), names)[0].Complete() {
		t.Error("a chain that lacks a record is complete")
	}
}

func TestJoinSeparatesSessionsOldestFirst(t *testing.T) {
	var records []*proto.Session
	for _, s := range []struct {
		id  byte
		age uint64
	}{{3, 10}, {1, 10}, {2, 500}} {
		for _, p := range parts() {
			p.Id, p.AgeMs = []byte{s.id}, s.age
			records = append(records, p)
		}
	}
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	var got []string
	for _, c := range Join(records, names) {
		got = append(got, fmt.Sprintf("%s %s", c.ID, sketch(c)))
	}
	want := []string{
		"02 client - mb1 - mb2 - server",
		"01 client - mb1 - mb2 - server",
		"03 client - mb1 - mb2 - server",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("chains (-want +got):\n%s", diff)
	}
	if got := Join(nil, nil); len(got) != 0 {
		t.Errorf("Join(nil) = %v, want nothing", got)
	}
}
