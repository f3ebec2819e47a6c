// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mbchain/agentd/internal/lock"
)

// A row of the table above [Machine].
type row struct{ role, state, event, next string }

// readTable returns the rows of the table in the comment above [Machine].
func readTable(t *testing.T) map[row]bool {
	text, err := os.ReadFile("machine.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[row]bool)
	line := regexp.MustCompile(`(?m)^//\t(left|right|old|new) +(\w+) +(\w+) +(\w+)$`)
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		r := row{m[1], m[2], m[3], m[4]}
		if rows[r] {
			t.Errorf("%v stands twice in the table", r)
		}
		rows[r] = true
	}
	if len(rows) < 50 {
		t.Fatalf("%d rows in the table of machine.go", len(rows))
	}
	return rows
}

// eventName returns an event's name in the table.
func eventName(e Event) string {
	switch e := e.(type) {
	case Received:
		return strings.TrimPrefix(strings.Fields(e.Message.String())[0], "UPDATE-")
	case Tick:
		return "late"
	}
	return strings.Fields(e.String())[0]
}

// noting takes down what changes of state an event causes at a host.
func (w *world) noting(n *node, e Event, happen func() []Order) []Order {
	if w.taken == nil {
		return happen()
	}
	before := make(map[*Machine]State)
	for _, p := range n.host.parties {
		if p.machine != nil {
			before[p.machine] = p.machine.State()
		}
	}
	orders := happen()
	for m, s := range before {
		if m.State() != s {
			w.taken[row{m.role.String(), s.String(), eventName(e), m.State().String()}] = true
		}
	}
	return orders
}

// TestTableSaysWhatTheMachinesDo compares the table with what happens in a
// simulation: no change of state is missing, and every one that is listed occurs.
func TestTableSaysWhatTheMachinesDo(t *testing.T) {
	table, taken := readTable(t), make(map[row]bool)
	rare(taken)
	for seed := range uint64(100) {
		if len(taken) == len(table) {
			break
		}
		w := newWorld(t, seed)
		w.taken = taken
		sz := size{30, 400, 3 * time.Millisecond, 20}
		w.populate(sz)
		w.trouble(2 * time.Second)
		w.unlucky = func() bool { return w.chance(4) }
		if seed%2 == 1 {
			w.outage = 40 * time.Second
			w.work = func() time.Duration { return w.between(0, 40*time.Millisecond) }
			if seed%4 == 3 {
				w.work = func() time.Duration { return w.between(0, 8*time.Second) }
			}
		}
		w.wishes(sz, new(counts))
		w.run(3 * time.Second)
		w.calm()
		w.run(10 * time.Minute)
		w.settled()
	}
	for r := range taken {
		if !table[r] {
			t.Errorf("%v happens and is not in the table", r)
		}
	}
	var never []row
	for r := range table {
		if !taken[r] {
			never = append(never, r)
		}
	}
	slices.SortFunc(never, func(a, b row) int { return strings.Compare(a.role+a.state+a.event, b.role+b.state+b.event) })
	for _, r := range never {
		t.Errorf("%v is in the table and never happens", r)
	}
}

// rare takes down changes of state that need more bad luck at once than a
// simulation has.
func rare(taken map[row]bool) {
	at := func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, i}) }
	plan := &lock.Plan{
		Guarantee: lock.Ordered, Left: at(1), Old: []netip.Addr{at(2)}, New: []netip.Addr{at(3)}, Right: at(4),
		State: []lock.Pair{{From: at(2), To: at(3), Method: lock.Exec}}, Patience: time.Second,
	}
	late := start.Add(time.Hour)
	received := func(m Message) Event { return Received{Message: m} }
	both := []Event{MarkerSeen{Leftward}, MarkerSeen{Rightward}}
	for _, c := range []struct {
		here   netip.Addr
		events []Event
		at     time.Time // of the last one
	}{
		{plan.Left, []Event{received(Refuse{})}, start},
		{plan.Left, []Event{Tick{}}, late},
		{plan.Left, []Event{Installed{}, Tick{}}, late},
		{plan.Left, []Event{Withdrawn{}, Received{plan.Right, Aborted{}}, Tick{}}, late},
		{plan.Right, []Event{Tick{}}, late},
		{plan.Right, []Event{received(Syn{}), Lost{plan.New[0]}}, start},
		{plan.Right, []Event{received(Syn{}), SessionOver{}}, start},
		{plan.Right, []Event{received(Syn{}), Tick{}}, late},
		{plan.Right, []Event{received(Syn{}), Installed{}, Tick{}}, late},
		{plan.Old[0], []Event{received(Close{})}, start},
		{plan.Old[0], append(both, received(Close{})), start},
		{plan.Old[0], append(both, SessionOver{}), start},
		{plan.New[0], []Event{SessionOver{}}, start},
		{plan.New[0], []Event{Installed{}, NewPathUsed{}}, start},
	} {
		m, _ := Join(Syn{Plan: plan}, c.here, start)
		if plan.Role(c.here) != lock.NewHost {
			m, _ = New(plan, c.here, start)
		}
		for _, e := range c.events[:len(c.events)-1] {
			m.Step(e, start)
		}
		before, last := m.State(), c.events[len(c.events)-1]
		m.Step(last, c.at)
		taken[row{m.role.String(), before.String(), eventName(last), m.State().String()}] = true
	}
}

func TestMachinesBeginWhereTheTableDoes(t *testing.T) {
	w, _, plan := oneWorld(t, lock.Ordered, 1, 1)
	for host, want := range map[string]State{"left": Installing, "right": Ready, "old1": Ready} {
		i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.name == host })
		if m, _ := New(&plan, w.nodes[i].addr, start); m.State() != want {
			t.Errorf("%s begins %v, want %v", host, m.State(), want)
		}
	}
	if m, _ := Join(Syn{Plan: &plan}, plan.New[0], start); m.State() != Installing {
		t.Errorf("a new host begins %v, want %v", m.State(), Installing)
	}
}
