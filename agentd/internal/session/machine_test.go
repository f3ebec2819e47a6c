// SPDX-License-Identifier: Apache-2.0

package session

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
)

var (
	start   = time.Unix(1700000000, 0)
	mb2     = netip.MustParseAddr("10.0.0.3")
	srv     = netip.MustParseAddr("10.0.0.4")
	far     = Reject{Reason: "table_full", Host: "server", Address: srv}
	none    = Reject{Reason: ReasonNoAnswer, Host: "mb1", Address: mb2}
	errLost = errors.New("connection lost")
)

func tuple(s string) chain.FiveTuple {
	t, err := chain.ParseFiveTuple(s)
	if err != nil {
		panic(err)
	}
	return t
}

// syn asks mb1 for a session by mb2 to the server.
func syn() Syn {
	return Syn{
		ID:    chain.SessionID{1},
		Super: tuple("10.0.0.1:40000 > 10.0.0.4:53 udp"),
		Wire:  tuple("10.0.0.1:50001 > 10.0.0.2:50002 udp"),
		Hops:  []netip.Addr{mb2, srv}, Within: 2 * time.Second,
	}
}

// part is what mb1's module says to that.
func part(known bool) Part {
	s := syn()
	return Part{ID: s.ID, Super: s.Super, Right: tuple("10.0.0.2:50003 > 10.0.0.3:50004 udp"), Hops: s.Hops, Known: known}
}

// play gives a machine events, each after a pause, and returns what it wanted
// done, each event before its actions.
func play(m *Machine, first []Action, events []any) []string {
	now := start
	var lines []string
	note := func(actions []Action) {
		for _, a := range actions {
			lines = append(lines, "  "+a.String())
		}
	}
	note(first)
	for _, e := range events {
		if pause, isPause := e.(time.Duration); isPause {
			now = now.Add(pause)
			continue
		}
		lines = append(lines, fmt.Sprint(e))
		actions, err := m.Step(e.(Event), now)
		if err != nil {
			lines = append(lines, "  "+err.Error())
		}
		note(actions)
	}
	return append(lines, m.State().String())
}

func TestMachine(t *testing.T) {
	originator := func() (*Machine, []Action) { return Originate("mb1", part(false), start) }
	relay := func() (*Machine, []Action) { return Join("mb1", syn(), start) }
	last := func() (*Machine, []Action) {
		s := syn()
		s.Hops = nil
		return Join("mb1", s, start)
	}
	end := Part{ID: syn().ID, Super: syn().Super}
	tests := []struct {
		name   string
		begin  func() (*Machine, []Action)
		events []any
		want   []string
	}{
		{
			"originator", originator,
			[]any{Accepted{}, Released{}, RightEnded{}, RightLost{errLost}, Tick{}},
			[]string{
				"  ask 10.0.0.3 within=3.9s right=1",
				"accepted known=false", "  release known=false", "released", "  confirm",
				"right ended", "right lost: connection lost", "tick", "over",
			},
		},
		{
			"originator, its neighbour knew", originator,
			[]any{Accepted{Known: true}, Released{}},
			[]string{
				"  ask 10.0.0.3 within=3.9s right=1",
				"accepted known=true", "  release known=true", "released", "  confirm", "confirming",
			},
		},
		{
			"originator, refused", originator, []any{Rejected{far}},
			[]string{"  ask 10.0.0.3 within=3.9s right=1", "rejected: table_full at server (10.0.0.4)", "  fail: refused", "over"},
		},
		{
			"originator, somebody farther does not answer", originator, []any{Rejected{none}},
			[]string{"  ask 10.0.0.3 within=3.9s right=1", "rejected: 10.0.0.3 does not answer mb1", "  fail: no answer", "over"},
		},
		{
			"originator, nobody there", originator, []any{RightLost{errLost}},
			[]string{"  ask 10.0.0.3 within=3.9s right=1", "right lost: connection lost", "  fail: no answer", "over"},
		},
		{
			"originator, no answer", originator, []any{Patience - 1, Tick{}, time.Duration(1), Tick{}},
			[]string{"  ask 10.0.0.3 within=3.9s right=1", "tick", "tick", "  fail: no answer", "  drop right", "over"},
		},
		{
			"originator, its module waits no longer", originator, []any{Accepted{}, NotReleased{errLost}},
			[]string{
				"  ask 10.0.0.3 within=3.9s right=1", "accepted known=false", "  release known=false",
				"not released: connection lost", "  drop right", "over",
			},
		},
		{
			"originator, neighbour gone while its module is busy", originator, []any{Accepted{}, RightLost{errLost}, Released{}},
			[]string{
				"  ask 10.0.0.3 within=3.9s right=1", "accepted known=false", "  release known=false",
				"right lost: connection lost", "released", "  delete unless answered", "  drop right", "over",
			},
		},
		{
			"originator, its ACK is lost", originator, []any{Accepted{}, Released{}, RightLost{errLost}},
			[]string{
				"  ask 10.0.0.3 within=3.9s right=1", "accepted known=false", "  release known=false",
				"released", "  confirm", "right lost: connection lost", "  delete unless answered", "  drop right", "over",
			},
		},
		{
			"originator, its ACK is not answered", originator, []any{Accepted{}, Released{}, settleTime, Tick{}},
			[]string{
				"  ask 10.0.0.3 within=3.9s right=1", "accepted known=false", "  release known=false",
				"released", "  confirm", "tick", "  delete unless answered", "  drop right", "over",
			},
		},
		{
			"relay", relay,
			[]any{Installed{part(true)}, time.Second, Accepted{}, Released{}, time.Second, Acked{}, RightEnded{}},
			[]string{
				"  install right=2", "installed known=true right=2", "  ask 10.0.0.3 within=1.9s right=1",
				"accepted known=false", "  release known=false", "released", "  answer known=true",
				"acked", "  confirm", "right ended", "  end left", "over",
			},
		},
		{
			"relay, its module refuses", relay, []any{NotInstalled{"table_full"}},
			[]string{"  install right=2", "not installed: table_full", "  refuse: table_full at mb1 (10.0.0.2)", "over"},
		},
		{
			"relay, too late to ask", relay, []any{2*time.Second - hopTime, Installed{part(false)}},
			[]string{
				"  install right=2", "installed known=false right=2",
				"  fail: no answer", "  delete", "  refuse: 10.0.0.3 does not answer mb1", "over",
			},
		},
		{
			"relay, refused to the right", relay, []any{Installed{part(false)}, Rejected{far}},
			[]string{
				"  install right=2", "installed known=false right=2", "  ask 10.0.0.3 within=1.9s right=1",
				"rejected: table_full at server (10.0.0.4)",
				"  fail: refused", "  delete", "  refuse: table_full at server (10.0.0.4)", "over",
			},
		},
		{
			"relay, what stood in-band may be alive", relay, []any{Installed{part(true)}, RightLost{errLost}},
			[]string{
				"  install right=2", "installed known=true right=2", "  ask 10.0.0.3 within=1.9s right=1",
				"right lost: connection lost",
				"  fail: no answer", "  delete unless answered", "  refuse: 10.0.0.3 does not answer mb1", "over",
			},
		},
		{
			"relay, no answer from the right", relay, []any{Installed{part(false)}, 2 * time.Second, Tick{}},
			[]string{
				"  install right=2", "installed known=false right=2", "  ask 10.0.0.3 within=1.9s right=1", "tick",
				"  fail: no answer", "  delete", "  refuse: 10.0.0.3 does not answer mb1", "  drop right", "over",
			},
		},
		{
			"relay, left gives up while it asks", relay, []any{Installed{part(false)}, LeftLost{errLost}, Accepted{}},
			[]string{
				"  install right=2", "installed known=false right=2", "  ask 10.0.0.3 within=1.9s right=1",
				"left lost: connection lost", "  delete", "  drop right", "accepted known=false", "over",
			},
		},
		{
			"relay, left gives up while it installs", relay, []any{LeftLost{errLost}, Installed{part(false)}},
			[]string{
				"  install right=2", "left lost: connection lost",
				"installed known=false right=2", "  delete", "  drop right", "over",
			},
		},
		{
			"relay, left gives up and the module refuses", relay, []any{LeftLost{errLost}, NotInstalled{"table_full"}},
			[]string{"  install right=2", "left lost: connection lost", "not installed: table_full", "over"},
		},
		{
			"relay, left gives up while it releases", relay, []any{Installed{part(false)}, Accepted{}, LeftLost{errLost}, Released{}},
			[]string{
				"  install right=2", "installed known=false right=2", "  ask 10.0.0.3 within=1.9s right=1",
				"accepted known=false", "  release known=false", "left lost: connection lost",
				"released", "  delete", "  drop right", "over",
			},
		},
		{
			"relay, both neighbours lost", relay, []any{Installed{part(false)}, Accepted{}, Released{}, RightLost{errLost}, LeftLost{errLost}},
			[]string{
				"  install right=2", "installed known=false right=2", "  ask 10.0.0.3 within=1.9s right=1",
				"accepted known=false", "  release known=false", "released", "  answer known=false",
				"right lost: connection lost", "  delete", "  drop right", "  drop left", "left lost: connection lost", "over",
			},
		},
		{
			"relay, no ACK", relay, []any{Installed{part(false)}, Accepted{}, Released{}, settleTime, Tick{}},
			[]string{
				"  install right=2", "installed known=false right=2", "  ask 10.0.0.3 within=1.9s right=1",
				"accepted known=false", "  release known=false", "released", "  answer known=false",
				"tick", "  delete", "  drop right", "  drop left", "over",
			},
		},
		{
			"relay, left takes its ACK back", relay,
			[]any{Installed{part(false)}, Accepted{}, Released{}, Acked{}, LeftLost{errLost}},
			[]string{
				"  install right=2", "installed known=false right=2", "  ask 10.0.0.3 within=1.9s right=1",
				"accepted known=false", "  release known=false", "released", "  answer known=false",
				"acked", "  confirm", "left lost: connection lost", "  delete", "  drop right", "over",
			},
		},
		{
			"last host", last, []any{Installed{end}, Acked{}, LeftLost{errLost}},
			[]string{
				"  install right=0", "installed known=false right=0", "  answer known=false",
				"acked", "  end left", "left lost: connection lost", "over",
			},
		},
		{
			"last host, left gives up", last, []any{Installed{end}, LeftLost{errLost}},
			[]string{
				"  install right=0", "installed known=false right=0", "  answer known=false",
				"left lost: connection lost", "  delete", "over",
			},
		},
		{
			"last host, no ACK", last, []any{Installed{end}, settleTime, Tick{}},
			[]string{
				"  install right=0", "installed known=false right=0", "  answer known=false",
				"tick", "  delete", "  drop left", "over",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, first := test.begin()
			if diff := cmp.Diff(test.want, play(m, first, test.events)); diff != "" {
				t.Errorf("events and actions (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever does not fit changes nothing.
func TestMachineRefusesWhatMakesNoSense(t *testing.T) {
	everything := []Event{
		Installed{part(false)}, NotInstalled{}, Released{}, NotReleased{}, Accepted{}, Rejected{},
		RightEnded{}, RightLost{}, Acked{}, LeftLost{},
	}
	in := map[State]func() *Machine{
		Installing: func() *Machine { m, _ := Join("mb1", syn(), start); return m },
		Asking:     func() *Machine { m, _ := Originate("mb1", part(false), start); return m },
	}
	fits := map[State][]string{
		Installing: {"installed known=false right=2", "not installed: ", "left lost: <nil>"},
		Asking:     {"accepted known=false", "rejected:  at  (invalid IP)", "right lost: <nil>"},
	}
	for state, begin := range in {
		for _, e := range everything {
			m := begin()
			actions, err := m.Step(e, start)
			if fit := slices.Contains(fits[state], e.String()); fit != (err == nil) {
				t.Errorf("%v: %v: error %v, fits: %t", state, e, err, fit)
			}
			if err != nil && (!errors.Is(err, ErrUnexpected) || m.State() != state || actions != nil) {
				t.Errorf("%v: %v: %v, %v, actions %v", state, e, err, m.State(), actions)
			}
		}
	}
}

func TestSynCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Syn)
		want   string // empty: good
	}{
		{"good", func(*Syn) {}, ""},
		{"last host", func(s *Syn) { s.Hops = nil }, ""},
		{"TCP", func(s *Syn) { s.Super.Protocol, s.Wire.Protocol = chain.ProtocolTCP, chain.ProtocolTCP }, ""},
		{"id", func(s *Syn) { s.ID = chain.SessionID{} }, "no session id"},
		{"protocol", func(s *Syn) { s.Super.Protocol, s.Wire.Protocol = 1, 1 }, "protocol 1 is not chained"},
		{"other protocol", func(s *Syn) { s.Wire.Protocol = chain.ProtocolTCP }, "subsession of another protocol or family"},
		{"other family", func(s *Syn) { s.Wire = tuple("[fd00::1]:1 > [fd00::2]:2 udp") }, "subsession of another protocol or family"},
		{"too many hops", func(s *Syn) { s.Hops = slices.Repeat(s.Hops, 8) }, "16 hops, 15 are the limit"},
		{"hop of another family", func(s *Syn) { s.Hops[1] = netip.MustParseAddr("fd00::4") }, "hop of another family"},
		{"hop is a group", func(s *Syn) { s.Hops[1] = netip.MustParseAddr("224.0.0.1") },
			"hop 224.0.0.1 is not a unicast address; write the address of the host"},
		{"no time", func(s *Syn) { s.Within = 0 }, "time limit of 0s"},
		{"too much time", func(s *Syn) { s.Within = time.Hour }, "time limit of 1h0m0s"},
		{"supersession", func(s *Syn) { s.Super.Source = netip.AddrPortFrom(srv, 0) }, "supersession: source 10.0.0.4:0 has port 0"},
		{"subsession", func(s *Syn) { s.Wire.Destination = netip.AddrPortFrom(srv, 0) }, "subsession: destination 10.0.0.4:0 has port 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := syn()
			test.change(&s)
			got := ""
			if err := s.Check(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("check: %q, want %q", got, test.want)
			}
		})
	}
}
