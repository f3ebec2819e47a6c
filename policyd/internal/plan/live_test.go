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

// liveTypes name one instance each, so that every session gets it.
const liveTypes = `
type fw { 10.0.0.2 fd00::2 }
type ids { 10.0.0.3 fd00::3 }
type dpi { 10.0.0.5 fd00::5 }
type cache { 10.0.0.6 }
type lost { 10.0.0.77 }
`

func parse(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(liveTypes + text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// whole is session with the roles, and the hops that its first host knows.
func whole(protocol uint32, addresses ...string) answers {
	all := session(protocol, addresses...)
	owners := testDomain().Owners
	for i, a := range addresses {
		r := all.of(owners[netip.MustParseAddr(a)])
		r.Role, r.Hops = proto.Role_ROLE_MIDDLE, addresses[i+1:]
		if i == 0 {
			r.Role = proto.Role_ROLE_CLIENT
		}
	}
	for name := range hosts {
		if _, passed := all[name]; !passed {
			all[name] = Answer{}
		}
	}
	return all
}

func follow(t *testing.T, rule string, a answers) *Live {
	t.Helper()
	return testDomain().Follow(parse(t, rule), policy.Seed{1}, a, func() bool { return false })
}

func TestFollowReplacesTheSmallestPiece(t *testing.T) {
	web := func() answers { return whole(6, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4") }
	tests := []struct {
		name  string
		rule  string
		a     answers
		left  string
		want  *proto.MigratePlan
		keeps bool
	}{
		{"nothing", "match(any) >> {fw -> ids} live-sessions migrate", web(), "", nil, true},
		{"whose turn it was does not matter", "type turn { 10.0.0.5, 10.0.0.2, 10.0.0.6 } choose round-robin\n" +
			"match(any) >> {turn -> ids} live-sessions migrate", web(), "", nil, true},
		{"two in turn, and each is there", "type turn { 10.0.0.3, 10.0.0.2 } choose round-robin\ntype other { 10.0.0.2, 10.0.0.3 } choose round-robin\n" +
			"match(any) >> {turn -> other} live-sessions migrate", web(), "", nil, true},
		{"no rule", "match(dstport=443) >> {fw} live-sessions migrate", web(), "", nil, true},
		{"only new ones", "match(any) >> {fw} live-sessions new-only", web(), "", nil, true},
		{"one leaves at the end", "match(any) >> {fw} live-sessions migrate", web(), "mb1",
			&proto.MigratePlan{Left: "10.0.0.2", Right: "10.0.0.4", Old: []string{"10.0.0.3"}}, false},
		{"one leaves at the beginning", "match(any) >> {ids} live-sessions migrate", web(), "client",
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.3", Old: []string{"10.0.0.2"}}, false},
		{"all leave", "match(any) >> {} live-sessions migrate", web(), "client",
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.4", Old: []string{"10.0.0.2", "10.0.0.3"}}, false},
		{"one comes", "match(any) >> {fw -> dpi -> ids} live-sessions migrate", web(), "mb1",
			&proto.MigratePlan{Left: "10.0.0.2", Right: "10.0.0.3", New: []string{"10.0.0.5"}}, false},
		{"one takes the place of one", "match(any) >> {cache -> ids} live-sessions migrate", web(), "client",
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.3", Old: []string{"10.0.0.2"}, New: []string{"10.0.0.6"}}, false},
		{"two take the place of one", "match(any) >> {fw -> dpi -> cache} live-sessions migrate", web(), "mb1",
			&proto.MigratePlan{Left: "10.0.0.2", Right: "10.0.0.4", Old: []string{"10.0.0.3"}, New: []string{"10.0.0.5", "10.0.0.6"}}, false},
		{"the first come", "match(any) >> {fw -> ids} live-sessions migrate", whole(17, "10.0.0.1", "10.0.0.4"), "client",
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.4", New: []string{"10.0.0.2", "10.0.0.3"}}, false},
		{"of IPv6", "match(any) >> {dpi} live-sessions migrate", whole(6, "fd00::1", "fd00::2", "fd00::4"), "client",
			&proto.MigratePlan{Left: "fd00::1", Right: "fd00::4", Old: []string{"fd00::2"}, New: []string{"fd00::5"}}, false},
		// mb3 came by a migration, which took its first address.
		{"the same host under another address", "match(any) >> {dpi} live-sessions migrate",
			whole(6, "10.0.0.1", "192.0.2.5", "10.0.0.4"), "", nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := follow(t, tt.rule, tt.a)
			if len(got.Skipped)+len(got.Reset) > 0 || (got.Kept == 1) != tt.keeps {
				t.Fatalf("kept %d, reset %v, skipped %v", got.Kept, got.Reset, got.Skipped)
			}
			if tt.keeps {
				return
			}
			if len(got.Migrate) != 1 || got.Migrate[0].LeftHost != tt.left {
				t.Fatalf("migrates %v, want one by %s", got.Migrate, tt.left)
			}
			plan := got.Migrate[0].Plan
			tt.want.Session, tt.want.Super, tt.want.PatienceMs = plan.Session, plan.Super, DefaultPatience
			tt.want.Guarantee = proto.Guarantee_GUARANTEE_LOSS_FREE
			if diff := cmp.Diff(tt.want, plan, protocmp.Transform()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// What has to change at several places is as many migrations, of which each leaves the
// hosts alone that stay.
func TestFollowChangesSeveralPieces(t *testing.T) {
	got := follow(t, "match(any) >> {dpi -> ids -> cache} live-sessions migrate", whole(6, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"))
	if len(got.Skipped) > 0 || len(got.Migrate) != 2 {
		t.Fatalf("live %+v, want two migrations", got)
	}
	want := []Wish{
		{"client", &proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.3", Old: []string{"10.0.0.2"}, New: []string{"10.0.0.5"}}},
		{"mb2", &proto.MigratePlan{Left: "10.0.0.3", Right: "10.0.0.4", New: []string{"10.0.0.6"}}},
	}
	for i, w := range want {
		plan := got.Migrate[i].Plan
		w.Plan.Session, w.Plan.Super, w.Plan.PatienceMs = plan.Session, plan.Super, DefaultPatience
		w.Plan.Guarantee = proto.Guarantee_GUARANTEE_LOSS_FREE
		if diff := cmp.Diff(w, got.Migrate[i], protocmp.Transform()); diff != "" {
			t.Errorf("migration %d (-want +got):\n%s", i, diff)
		}
	}
}

// The client hears of migrations right of its neighbour once, and may miss that.
func TestFollowBelievesTheHostsOnThePath(t *testing.T) {
	a := whole(6, "10.0.0.1", "10.0.0.2", "192.0.2.5", "10.0.0.4")
	a.of("client").Hops = []string{"10.0.0.2", "10.0.0.3", "10.0.0.4"}
	got := follow(t, "match(any) >> {fw -> ids} live-sessions migrate", a)
	if len(got.Migrate) != 1 || got.Migrate[0].Plan.Old[0] != "192.0.2.5" || got.Migrate[0].Plan.New[0] != "10.0.0.3" {
		t.Errorf("live %+v, want mb3 to be replaced by mb2", got)
	}
}

func TestFollowSaysWhyASessionStays(t *testing.T) {
	web := func(change func(answers)) answers {
		a := whole(6, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
		if change != nil {
			change(a)
		}
		return a
	}
	tests := []struct {
		name string
		rule string
		a    answers
		want string
	}{
		{"a host without an agent should come", "match(any) >> {lost} live-sessions migrate", web(nil),
			"10.0.0.77, which should be on its chain, runs no agent"},
		{"another order", "match(any) >> {ids -> fw} live-sessions migrate", web(nil),
			"mb1 would have to be at another place of its chain, and no migration does that"},
		{"a host is silent", "match(any) >> {ids} live-sessions migrate", web(func(a answers) { delete(a, "mb1") }),
			"mb1 did not answer"},
		{"a host that should come is silent", "match(any) >> {dpi -> ids} live-sessions migrate", web(func(a answers) { delete(a, "mb3") }),
			"mb3 did not answer"},
		{"the server runs no agent", "match(any) >> {fw -> dpi} live-sessions migrate",
			web(func(a answers) {
				a.of("client").Hops = []string{"10.0.0.2", "10.0.0.3"}
				for _, host := range []string{"client", "mb1", "mb2"} {
					a.of(host).Super = tuple("10.0.0.1", 40000, "198.51.100.7", 80, 6)
				}
				a.of("mb2").Right = &proto.Side{Tuple: tuple("10.0.0.3", 32768, "198.51.100.7", 80, 6)}
				delete(a, "server")
			}),
			"the last host of its chain would change, and its server runs no agent to stand right of the change"},
		{"what it says of its path is old", "match(any) >> {fw -> dpi -> ids} live-sessions migrate",
			web(func(a answers) { a.of("mb1").Right.Tuple.Destination = "10.0.0.6" }),
			"its path is another than client says: it was changed just now"},
		{"no path of this family", "match(any) >> {cache} live-sessions migrate",
			whole(6, "fd00::1", "fd00::2", "fd00::4"), `rule 1 gives it no chain: NF type "cache" has no instance with an IPv6 address`},
		{"no address", "match(any) >> {fw} live-sessions migrate", web(func(a answers) {
			a.of("client").Hops[0] = "mb1"
			delete(a, "mb2")
		}),
			`client says that it passes "mb1", which is no address`},
		{"reset of UDP", "match(any) >> {ids} live-sessions reset", whole(17, "10.0.0.1", "10.0.0.2", "10.0.0.4"),
			"udp has no connection that could be reset"},
		{"reset behind a gateway", "match(any) >> {ids} live-sessions reset", web(func(a answers) {
			a.of("client").Super.Source = "10.9.0.1"
		}), "its client 10.9.0.1 runs no agent that could reset it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := follow(t, tt.rule, tt.a)
			if len(got.Skipped) != 1 || got.Kept+len(got.Migrate)+len(got.Reset) > 0 {
				t.Fatalf("live %+v", got)
			}
			if got.Skipped[0].Reason != tt.want {
				t.Errorf("skipped because %q, want %q", got.Skipped[0].Reason, tt.want)
			}
		})
	}
}

func TestFollowResetsAtTheClient(t *testing.T) {
	got := follow(t, "match(any) >> {ids} live-sessions reset", whole(6, "10.0.0.1", "10.0.0.2", "10.0.0.4"))
	want := []Reset{{Host: "client", Session: chain.SessionID(id(1))}}
	if diff := cmp.Diff(want, got.Reset); diff != "" || got.Kept+len(got.Migrate)+len(got.Skipped) > 0 {
		t.Errorf("live %+v, resets (-want +got):\n%s", got, diff)
	}
	if got := follow(t, "match(any) >> {fw} live-sessions reset", whole(6, "10.0.0.1", "10.0.0.2", "10.0.0.4")); got.Kept != 1 {
		t.Errorf("a session with the chain it should have is not kept: %+v", got)
	}
}

func TestFollowLeavesWhatIsNotEstablished(t *testing.T) {
	for _, state := range []string{"syn", "closing", "closed", "reset"} {
		a := whole(6, "10.0.0.1", "10.0.0.2", "10.0.0.4")
		a.of("client").State = state
		if got := follow(t, "match(any) >> {ids} live-sessions migrate", a); got.Kept != 1 || len(got.Migrate) > 0 {
			t.Errorf("%s: live %+v", state, got)
		}
	}
}

func TestFollowStops(t *testing.T) {
	got := testDomain().Follow(parse(t, "match(any) >> {}"), policy.Seed{}, whole(6, "10.0.0.1", "10.0.0.4"), func() bool { return true })
	if got != nil {
		t.Errorf("live %+v, want nothing", got)
	}
}

func TestAllow(t *testing.T) {
	tests := []struct {
		name   string
		rules  string
		ask    Ask
		change string // of the host's record
		want   string // the change
		denied string
		err    string
	}{
		{"leave", "match(any) >> {fw -> ids} may-leave ids", Ask{Host: "mb2"}, "", "- mb2", "", ""},
		{"leave, of two on one host", "match(any) >> {fw -> fw} may-leave fw", Ask{Host: "mb1"}, "", "- mb1", "", ""},
		{"leave, not allowed", "match(any) >> {fw -> ids} may-leave ids", Ask{Host: "mb1"}, "", "",
			`rule 1 (line 7) does not let fw, which mb1 runs, leave a session: write "may-leave fw" behind its chain`, ""},
		{"leave, no NF of the chain", "match(any) >> {fw} may-leave fw", Ask{Host: "mb2"}, "", "",
			"mb2 runs no NF of the chain of rule 1 (line 7), and only these may ask to leave", ""},
		{"no rule", "match(dstport=1) >> {fw} may-leave fw", Ask{Host: "mb1"}, "", "",
			"no rule of the policy matches the session, and where none does nobody may ask for anything: write a rule for it", ""},
		{"the first rule that matches decides", "match(dstport=80) >> {fw}\nmatch(any) >> {fw} may-leave fw", Ask{Host: "mb1"}, "", "",
			`rule 1 (line 7) does not let fw, which mb1 runs, leave a session: write "may-leave fw" behind its chain`, ""},
		{"insert", "match(any) >> {fw} may-insert dpi, cache", Ask{"mb1", "dpi"}, "", "+ mb3 after mb1", "", ""},
		{"insert at the server", "match(any) >> {fw} may-insert dpi", Ask{"server", "dpi"}, "server", "+ mb3 before server", "", ""},
		{"insert before a server without an agent", "match(any) >> {fw} may-insert dpi", Ask{"mb1", "dpi"}, "alone", "+ mb3 before mb1", "", ""},
		{"insert, not allowed", "match(any) >> {fw} may-insert dpi", Ask{"mb1", "cache"}, "", "",
			`rule 1 (line 7) lets nobody ask for cache: write "may-insert cache" behind its chain`, ""},
		{"insert, in the chain", "match(any) >> {fw -> ids} may-insert dpi", Ask{"mb1", "ids"}, "", "",
			"ids is in the chain of rule 1 (line 7), and nobody may ask for a second one", ""},
		{"insert of a host without an agent", "match(any) >> {fw} may-insert lost", Ask{"mb1", "lost"}, "", "", "",
			"lost on 10.0.0.77 runs no agent"},
		{"insert of the host itself", "match(any) >> {ids} may-insert fw", Ask{"mb1", "fw"}, "", "", "",
			"fw on mb1 is on its chain already"},
		{"a session that is not established", "match(any) >> {fw} may-insert dpi", Ask{"mb1", "dpi"}, "syn", "", "",
			"it is not established: mb1 has it as syn"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := web().of("mb1")
			switch tt.change {
			case "server":
				r.Right = nil
			case "alone":
				r.Right.Tuple.Destination = "198.51.100.7"
			case "syn":
				r.State = "syn"
			}
			c, err := testDomain().Allow(parse(t, tt.rules), policy.Seed{1}, tt.ask, r)
			_, isDenied := err.(*Denied)
			switch {
			case tt.want != "":
				if err != nil || c.String() != tt.want || c.Guarantee != proto.Guarantee_GUARANTEE_LOSS_FREE || c.PatienceMs != DefaultPatience {
					t.Errorf("change %q (%+v), error %v", c.String(), c, err)
				}
			case err == nil || err.Error() != tt.denied+tt.err || isDenied != (tt.denied != ""):
				t.Errorf("error %v (denied: %v), want %q", err, isDenied, tt.denied+tt.err)
			}
			if err == nil && strings.HasPrefix(tt.want, "+") && c.At["mb3"] != netip.MustParseAddr("10.0.0.5") {
				t.Errorf("it comes under %v", c.At)
			}
		})
	}
}
