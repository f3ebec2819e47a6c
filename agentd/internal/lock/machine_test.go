// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(i byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, i}) }

// plan replaces one host by another: 1 - 2 - 3 becomes 1 - 4 - 3.
func plan() *Plan {
	return &Plan{
		ID: 0x1234567890abcdf0, Session: chain.SessionID{1},
		Super: chain.FiveTuple{
			Source:      netip.AddrPortFrom(at(8), 40000),
			Destination: netip.AddrPortFrom(at(9), 80), Protocol: chain.ProtocolTCP,
		},
		Left: at(1), Old: []netip.Addr{at(2)}, Right: at(3), New: []netip.Addr{at(4)}, Patience: time.Second,
	}
}

// events are all that a machine of host 1, 2 or 3 can be told, by their names in
// the table.
func events(here netip.Addr) map[string]Event {
	left, right := plan().Beside(OldPath, here)
	named := map[string]Event{
		"Locked": Locked{}, "NotLocked": NotLocked{Busy}, "Approve": Approve{}, "Reject": Reject{Why{Busy, at(3)}},
		"Cancel": Cancel{}, "Gone": Gone{}, "Withdrawn": Withdrawn{}, "Tick": Tick{}, "Lost other": Lost{at(7)},
	}
	if left.IsValid() {
		named["Lost left"] = Lost{left}
	}
	if right.IsValid() {
		named["Lost right"] = Lost{right}
	}
	return named
}

// possible reports whether the event can come to the role: nobody sends the left
// anchor a CANCEL, and only there a migration is withdrawn.
func possible(role Role, event string) bool {
	switch event {
	case "Cancel":
		return role != LeftAnchor
	case "Withdrawn":
		return role == LeftAnchor
	}
	return true
}

func TestTableSaysWhatTheMachineDoes(t *testing.T) {
	text, err := os.ReadFile("machine.go")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	row := regexp.MustCompile(`(?m)^//\t(left|old|right) +(\w+) +(\w+(?: left| right)?) +(\w+)(?: .*)?$`)
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		want[m[1]+" "+m[2]+" "+m[3]] = m[4]
	}
	got := make(map[string]string)
	for i := range byte(3) {
		here := at(i + 1)
		for name, e := range events(here) {
			for _, first := range [][]Event{nil, {Locked{}}, {Locked{}, Approve{}}} {
				m, _ := New(plan(), here, start)
				for _, f := range first {
					m.Step(f, start)
				}
				before := m.State()
				m.Step(e, start.Add(time.Hour))
				if m.State() != before && possible(m.role, name) {
					got[fmt.Sprintf("%v %v %s", m.role, before, name)] = m.State().String()
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes of state (-table +machine):\n%s", diff)
	}
}

func TestLaterTriesWaitLonger(t *testing.T) {
	for try, want := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 2: 4 * time.Second, MaxTries - 1: 4 * time.Second} {
		p := plan()
		p.ID = p.ID.Try(try)
		for here, want := range map[netip.Addr]time.Duration{p.Left: want, p.Old[0]: 2 * want} {
			m, _ := New(p, here, start)
			m.Step(Locked{}, start)
			if got := m.Deadline().Sub(start); got != want {
				t.Errorf("try %d: %v waits for %v, want %v", try, here, got, want)
			}
		}
	}
}

// said returns what actions are, in words.
func said(actions []Action) string {
	var words []string
	for _, a := range actions {
		words = append(words, a.String())
	}
	return strings.Join(words, "; ")
}

func TestWordsOfTheMachine(t *testing.T) {
	for _, tt := range []struct {
		name string
		here netip.Addr
		told []Event
		want string // in answer to the last one
	}{
		{"anchor asks", at(1), []Event{Locked{}}, "send 10.0.0.2 REQUEST"},
		{"host asks on", at(2), []Event{Locked{}}, "send 10.0.0.3 REQUEST"},
		{"right anchor approves", at(3), []Event{Locked{}}, "send 10.0.0.2 APPROVE"},
		{"host passes approval on", at(2), []Event{Locked{}, Approve{}}, "send 10.0.0.1 APPROVE"},
		{"busy host rejects", at(2), []Event{NotLocked{Busy}}, "send 10.0.0.1 REJECT busy at 10.0.0.2"},
		{"rejection is passed on in the same words, unlocked", at(2), []Event{Locked{}, Reject{Why{PathChanged, at(3)}}},
			"unlock; send 10.0.0.1 REJECT path_changed at 10.0.0.3"},
		{"cancel is passed on", at(2), []Event{Locked{}, Cancel{}}, "unlock; send 10.0.0.3 CANCEL"},
		{"left is lost", at(2), []Event{Locked{}, Lost{at(1)}}, "unlock; send 10.0.0.3 CANCEL"},
		{"right is lost", at(2), []Event{Locked{}, Lost{at(3)}}, "unlock; send 10.0.0.1 REJECT no_answer at 10.0.0.3"},
		{"no answer", at(1), []Event{Locked{}, Tick{}}, "unlock; send 10.0.0.2 CANCEL"},
		{"second approval", at(1), []Event{Locked{}, Approve{}, Approve{}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, actions := New(plan(), tt.here, start)
			for _, e := range tt.told {
				actions = m.Step(e, start.Add(time.Minute))
			}
			if got := said(actions); got != tt.want {
				t.Errorf("says %q, want %q", got, tt.want)
			}
		})
	}
}

// Algorithm 1 of the paper leaves pending set at a requester that was rejected, so
// that two of them reject each other for ever.
func TestFaultOfThePaperRejectedRequesterKeepsPending(t *testing.T) {
	m, _ := New(plan(), at(1), start)
	m.Step(Locked{}, start)
	if got := said(m.Step(Reject{Why{Busy, at(2)}}, start)); got != "unlock" {
		t.Errorf("a rejected requester says %q, want that it unlocks", got)
	}
}

func TestWishBacksOffExponentiallyAndEnds(t *testing.T) {
	w := NewWish(*plan(), start)
	now, seen := start, make(map[ID]bool)
	for try := range MaxTries {
		id := w.Next().ID
		if seen[id] || id.Try(0) != plan().ID.Try(0) {
			t.Errorf("try %d has id %v", try, id)
		}
		seen[id] = true
		again := w.Lost(Why{Busy, at(2)}, now)
		if again != (try < MaxTries-1) {
			t.Fatalf("after try %d of %d: another one: %t", try+1, MaxTries, again)
		}
		if !again {
			break
		}
		full := min(FirstPause<<try, LongestPause)
		if pause := w.Due().Sub(now); pause < full/2 || pause > full*3/2 {
			t.Errorf("pause %v after try %d, want %v give or take a half", pause, try+1, full)
		}
		now = w.Due()
	}
}

func TestWishIsNotTriedAgainWhenThatCannotHelp(t *testing.T) {
	for _, r := range []Reason{NoSession, PathChanged, Policy, Cancelled, SessionEnded} {
		w := NewWish(*plan(), start)
		w.Next()
		if w.Lost(Why{r, at(2)}, start) {
			t.Errorf("tried again after %s", r)
		}
	}
}

func TestPlanIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Plan)
		want   string // "": it is not
	}{
		{"good", func(*Plan) {}, ""},
		{"nothing to change", func(p *Plan) { p.Old, p.New = nil, nil }, "nothing to change"},
		{"host twice", func(p *Plan) { p.New = p.Old }, "host 10.0.0.2 stands twice in it"},
		{"no session", func(p *Plan) { p.Session = chain.SessionID{} }, "no session id"},
		{"no host", func(p *Plan) { p.Right = netip.Addr{} }, "host invalid IP"},
		{"too many", func(p *Plan) {
			for i := range byte(MaxHosts) {
				p.New = append(p.New, at(20+i))
			}
		}, "1 old, 15 new and 0 hosts beyond them, 14 are the limit"},
		{"impatient", func(p *Plan) { p.Patience = time.Millisecond }, "patience of 1ms"},
		{"substream of UDP", func(p *Plan) { p.Guarantee, p.Super.Protocol = Substream, chain.ProtocolUDP }, "which promises no order: only loss-free is possible"},
		{"state of loss-free", func(p *Plan) { p.State = []Pair{{at(2), at(4), Exec}} }, "loss-free moves no state"},
		{"state of nobody", func(p *Plan) { p.Guarantee, p.State = Ordered, []Pair{{at(1), at(4), Exec}} }, "which are no old and new host"},
		{"state twice", func(p *Plan) { p.Guarantee, p.State = Ordered, []Pair{{at(2), at(4), Exec}, {at(2), at(4), Exec}} }, "more than one state"},
		{"state by no method", func(p *Plan) { p.Guarantee, p.State = Ordered, []Pair{{at(2), at(4), None}} }, "method none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := plan()
			tt.change(p)
			err := p.Check()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Check() = %v, want %q", err, tt.want)
			}
		})
	}
}
