// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/chain"
	"mbchain/policy"
	"mbchain/proto"
)

// hosts are those of the tests' domain, left to right as in their chains, and the
// two that wait.
var hosts = map[string][]string{
	"client": {"10.0.0.1", "fd00::1"},
	"mb1":    {"10.0.0.2", "fd00::2"},
	"mb2":    {"10.0.0.3", "fd00::3"},
	"server": {"10.0.0.4", "fd00::4"},
	"mb3":    {"192.0.2.5", "10.0.0.5", "fd00::5"},
	"mb4":    {"10.0.0.6"},
}

func testDomain() *Domain {
	d := &Domain{Owners: map[netip.Addr]string{}, Addresses: map[string][]netip.Addr{}}
	for name, texts := range hosts {
		for _, text := range texts {
			a := netip.MustParseAddr(text)
			d.Owners[a] = name
			d.Addresses[name] = append(d.Addresses[name], a)
		}
	}
	return d
}

func tuple(source string, sourcePort uint32, destination string, destinationPort, protocol uint32) *proto.Tuple {
	return &proto.Tuple{Source: source, SourcePort: sourcePort,
		Destination: destination, DestinationPort: destinationPort, Protocol: protocol}
}

// answers are those of the hosts of one session with this chain of addresses.
type answers map[string]Answer

func session(protocol uint32, addresses ...string) answers {
	all := answers{}
	owners := testDomain().Owners
	last := len(addresses) - 1
	super := tuple(addresses[0], 40000, addresses[last], 80, protocol)
	var left *proto.Side
	for i, a := range addresses {
		s := &proto.Session{Id: id(1), State: "established", Setup: "in-band", Super: super, Left: left}
		if i < last {
			left = &proto.Side{Tuple: tuple(a, 32768, addresses[i+1], 32769, protocol)}
			s.Right = left
		}
		all.add(owners[netip.MustParseAddr(a)], s)
	}
	for _, idle := range []string{"mb3", "mb4"} {
		if _, busy := all[idle]; !busy {
			all[idle] = Answer{}
		}
	}
	return all
}

func (a answers) add(host string, s *proto.Session) {
	all := a[host]
	all.Sessions = append(all.Sessions, s)
	a[host] = all
}

// of returns the record that a host has of the session.
func (a answers) of(host string) *proto.Session { return a[host].Sessions[0] }

func id(first byte) []byte { return append([]byte{first}, make([]byte, chain.SessionIDLen-1)...) }

func web() answers { return session(6, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4") }

func insert(after, before string, hosts ...string) *proto.StartMigrationsRequest {
	return &proto.StartMigrationsRequest{Change: &proto.StartMigrationsRequest_Insert{
		Insert: &proto.InsertHosts{Hosts: hosts, After: after, Before: before}}}
}

func remove(hosts ...string) *proto.StartMigrationsRequest {
	return &proto.StartMigrationsRequest{Change: &proto.StartMigrationsRequest_Remove{Remove: &proto.RemoveHosts{Hosts: hosts}}}
}

func replace(from, to string) *proto.StartMigrationsRequest {
	return &proto.StartMigrationsRequest{Change: &proto.StartMigrationsRequest_Replace{
		Replace: &proto.ReplaceHosts{From: strings.Fields(from), To: strings.Fields(to)}}}
}

func plans(t *testing.T, r *proto.StartMigrationsRequest, a answers) ([]Wish, []*proto.Skipped) {
	t.Helper()
	c, err := FromRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	return testDomain().Plans(&c, &Selection{}, a)
}

func TestPlanOfEachChange(t *testing.T) {
	moving := replace("mb1 mb2", "mb3 mb4")
	moving.StateMethod = proto.StateMethod_STATE_METHOD_CONNTRACK
	tests := []struct {
		name string
		r    *proto.StartMigrationsRequest
		a    answers
		left string
		want *proto.MigratePlan
	}{
		{"remove the first", remove("mb1"), web(), "client",
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.3", Old: []string{"10.0.0.2"}}},
		{"remove all between", remove("mb1", "mb2"), web(), "client",
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.4", Old: []string{"10.0.0.2", "10.0.0.3"}}},
		{"replace", replace("mb2", "mb3"), web(), "mb1",
			&proto.MigratePlan{Left: "10.0.0.2", Right: "10.0.0.4", Old: []string{"10.0.0.3"}, New: []string{"192.0.2.5"}}},
		{"replace by more", replace("mb2", "mb4 mb3"), web(), "mb1",
			&proto.MigratePlan{Left: "10.0.0.2", Right: "10.0.0.4", Old: []string{"10.0.0.3"}, New: []string{"10.0.0.6", "192.0.2.5"}}},
		{"replace with state", moving, web(), "client",
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.4", Guarantee: proto.Guarantee_GUARANTEE_ORDERED,
				Old: []string{"10.0.0.2", "10.0.0.3"}, New: []string{"192.0.2.5", "10.0.0.6"},
				State: []*proto.StatePair{
					{From: "10.0.0.2", To: "192.0.2.5", Method: proto.StateMethod_STATE_METHOD_CONNTRACK},
					{From: "10.0.0.3", To: "10.0.0.6", Method: proto.StateMethod_STATE_METHOD_CONNTRACK},
				}}},
		{"insert after a middlebox", insert("mb1", "", "mb3"), web(), "mb1",
			&proto.MigratePlan{Left: "10.0.0.2", Right: "10.0.0.3", New: []string{"192.0.2.5"}}},
		{"insert after the client", insert("client", "", "mb3", "mb4"), web(), "client",
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.2", New: []string{"192.0.2.5", "10.0.0.6"}}},
		{"insert before the server", insert("", "server", "mb4"), web(), "mb2",
			&proto.MigratePlan{Left: "10.0.0.3", Right: "10.0.0.4", New: []string{"10.0.0.6"}}},
		{"insert into an empty chain", insert("", "server", "mb4"), session(6, "10.0.0.1", "10.0.0.4"), "client",
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.4", New: []string{"10.0.0.6"}}},
		{"UDP", insert("mb1", "", "mb3"), session(17, "10.0.0.1", "10.0.0.2", "10.0.0.4"), "mb1",
			&proto.MigratePlan{Left: "10.0.0.2", Right: "10.0.0.4", New: []string{"192.0.2.5"}}},
		{"IPv6", replace("mb1", "mb3"), session(6, "fd00::1", "fd00::2", "fd00::4"), "client",
			&proto.MigratePlan{Left: "fd00::1", Right: "fd00::4", Old: []string{"fd00::2"}, New: []string{"fd00::5"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Session, tt.want.PatienceMs = id(1), DefaultPatience
			tt.want.Super = tt.a.of(tt.left).Super
			if tt.want.Guarantee == 0 {
				tt.want.Guarantee = proto.Guarantee_GUARANTEE_LOSS_FREE
			}
			wishes, skipped := plans(t, tt.r, tt.a)
			if diff := cmp.Diff([]Wish{{LeftHost: tt.left, Plan: tt.want}}, wishes, protocmp.Transform()); diff != "" {
				t.Errorf("wishes (-want +got):\n%s", diff)
			}
			if len(skipped) > 0 {
				t.Errorf("skipped %v", skipped)
			}
		})
	}
}

func TestSessionsThatStayAsTheyAre(t *testing.T) {
	substream := remove("mb1")
	substream.Guarantee = proto.Guarantee_GUARANTEE_SUBSTREAM
	tests := []struct {
		name string
		r    *proto.StartMigrationsRequest
		a    answers
		set  func(answers)
		want string
	}{
		{"the client", remove("client"), web(), nil, "it begins at client, which has to stay"},
		{"the server", replace("mb2 server", "mb3"), web(), nil, "it ends at server, which has to stay"},
		{"nothing left of the client", insert("", "client", "mb3"), web(), nil, "nothing is left of client on its chain"},
		{"nothing right of the server", insert("server", "", "mb3"), web(), nil, "nothing is right of server on its chain"},
		{"server without an agent", remove("mb2"), web(),
			func(a answers) { a.of("mb2").Right.Tuple = tuple("10.0.0.3", 1, "198.51.100.9", 80, 6) },
			"198.51.100.9, right of mb2, is the address of no host with an agent: it is a server without one, or behind a NAT"},
		{"client behind a NAT", insert("", "mb1", "mb3"), web(),
			func(a answers) { a.of("mb1").Left = &proto.Side{Tuple: tuple("198.51.100.9", 1, "10.0.0.2", 80, 6)} },
			"198.51.100.9, left of mb1, is the address of no host with an agent: it is a client without one, or behind a NAT"},
		{"NAT within", remove("mb1", "mb2"), web(),
			func(a answers) { a.of("mb2").Left = &proto.Side{Tuple: tuple("198.51.100.9", 1, "10.0.0.3", 80, 6)} },
			"something between mb1 and mb2 translates addresses"},
		{"not neighbours", remove("client", "mb2"), web(), func(a answers) { a.of("client").Left = a.of("client").Right },
			"right of client comes mb1, not mb2"},
		{"the wrong way round", remove("mb2", "mb1"), web(), nil, "right of mb2 comes server, not mb1"},
		{"an end within", remove("mb1", "client"), web(), func(a answers) { a.of("client").Right, a.of("client").Left = nil, nil },
			"it ends at client, which has to stay"},
		{"not everywhere", remove("mb1", "mb4"), web(), nil, "mb4 does not carry it"},
		{"no answer", remove("mb1", "mb2"), web(), func(a answers) { delete(a, "mb2") }, "mb2 did not answer"},
		{"no answer of who comes", replace("mb1", "mb3"), web(), func(a answers) { delete(a, "mb3") }, "mb3 did not answer"},
		{"cut answer", remove("mb1", "mb4"), web(),
			func(a answers) { a["mb4"] = Answer{Truncated: true} }, "mb4 has too many sessions to say whether it is one of them"},
		{"twice", remove("mb1"), web(), func(a answers) { a.add("mb1", a.of("mb1")) }, "it comes to mb1 twice"},
		{"half open", remove("mb1"), web(), func(a answers) { a.of("mb1").State = "syn" }, "it is not established: mb1 has it as syn"},
		{"closing at one", remove("mb1", "mb2"), web(), func(a answers) { a.of("mb2").State = "closing" }, "it is not established: mb2 has it as closing"},
		{"bypassed", insert("client", "", "mb3"), web(), func(a answers) { a.of("client").Setup = "bypassed" }, "right of client it is not set up: bypassed"},
		{"on the chain already", replace("mb1", "mb2"), web(), nil, "mb2 is on its chain already, or has left it a moment ago"},
		{"the anchor comes", insert("client", "", "mb1"), web(), func(a answers) { a["mb1"] = Answer{} }, "mb1 is on its chain already"},
		{"without the family", replace("mb1", "mb4"), session(6, "fd00::1", "fd00::2", "fd00::4"), nil, "mb4 has no address of IPv6"},
		{"substream of UDP", substream, session(17, "10.0.0.1", "10.0.0.2", "10.0.0.4"), nil,
			"udp promises no order: take loss-free"},
		{"under an address unheard of", insert("mb1", "", "mb3"), web(),
			func(a answers) { a.of("mb1").Right = &proto.Side{Tuple: tuple("198.51.100.7", 1, "10.0.0.3", 2, 6)} },
			"mb1 has it under 198.51.100.7, which is none of the addresses that its agent was given"},
		{"a loop", remove("mb1"), web(),
			func(a answers) { a.of("mb1").Right = &proto.Side{Tuple: tuple("10.0.0.2", 1, "10.0.0.1", 2, 6)} },
			"10.0.0.1 would stand on its path twice"},
		{"nonsense", remove("mb1"), web(), func(a answers) { a.of("mb1").Right = &proto.Side{Tuple: tuple("10.0.0.2", 1, "there", 2, 6)} },
			`mb1 gives it a right subsession that cannot be: ParseAddr("there"): unable to parse IP`},
		{"two families", remove("mb1"), web(), func(a answers) { a.of("mb1").Left = &proto.Side{Tuple: tuple("fd00::1", 1, "fd00::2", 2, 6)} },
			"mb1 gives it a left subsession that cannot be: it is of IPv6, the supersession of IPv4"},
		{"no supersession", remove("mb1"), web(), func(a answers) { a.of("mb1").Super = nil },
			`mb1 gives it a supersession that cannot be: ParseAddr(""): unable to parse IP`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.set != nil {
				tt.set(tt.a)
			}
			wishes, skipped := plans(t, tt.r, tt.a)
			if len(wishes) > 0 || len(skipped) != 1 {
				t.Fatalf("wishes %v, skipped %v, want one that is skipped", wishes, skipped)
			}
			if got, _, _ := strings.Cut(skipped[0].Reason, "\n"); got != tt.want {
				t.Errorf("reason %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSelection(t *testing.T) {
	port80, err := policy.ParsePredicate("dstport=80")
	if err != nil {
		t.Fatal(err)
	}
	one := func(first byte, port uint32, state string) *proto.Session {
		return &proto.Session{Id: id(first), State: state, Super: tuple("10.0.0.1", 40000, "10.0.0.4", port, 6),
			Left:  &proto.Side{Tuple: tuple("10.0.0.1", 1, "10.0.0.2", 2, 6)},
			Right: &proto.Side{Tuple: tuple("10.0.0.2", 1, "10.0.0.4", 2, 6)}}
	}
	a := answers{"mb1": {Sessions: []*proto.Session{
		one(0x13, 80, "established"), one(0x11, 80, "closed"), one(0x12, 443, "established"), one(0x22, 80, "syn"), {Id: []byte{1}},
	}}}
	tests := []struct {
		name    string
		sel     Selection
		planned []byte // first bytes of ids
		skipped []byte
	}{
		{"all", Selection{}, []byte{0x12, 0x13}, []byte{0x11, 0x22}},
		{"prefix", Selection{Prefix: []byte{0x11}}, nil, []byte{0x11}},
		{"those of a port that are not over", Selection{Match: port80}, []byte{0x13}, []byte{0x22}},
		{"none", Selection{Prefix: []byte{0x33}}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := FromRequest(remove("mb1"))
			if err != nil {
				t.Fatal(err)
			}
			wishes, skipped := testDomain().Plans(&c, &tt.sel, a)
			var planned, stayed []byte
			for _, w := range wishes {
				planned = append(planned, w.Plan.Session[0])
			}
			for _, s := range skipped {
				stayed = append(stayed, s.Session[0])
			}
			if diff := cmp.Diff([][]byte{tt.planned, tt.skipped}, [][]byte{planned, stayed}); diff != "" {
				t.Errorf("planned and skipped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCutAnswerSaysNothingOfWhatComesAfterIt(t *testing.T) {
	cut := Answer{Sessions: []*proto.Session{{Id: id(5)}, {Id: id(7)}}, Truncated: true}
	for first, want := range map[byte]bool{4: false, 7: false, 8: true} {
		if got := cut.unseen(chain.SessionID(id(first))); got != want {
			t.Errorf("session %d unseen: %v, want %v", first, got, want)
		}
	}
	cut.Truncated = false
	if cut.unseen(chain.SessionID(id(8))) {
		t.Error("a whole answer lacks a session")
	}
}
