// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mbchain/chain"
)

// installed is what a module has of the session.
type installed string

const (
	absent  installed = ""
	waiting installed = "waiting"
	up      installed = "up"
	failed  installed = "failed"
)

// node is a host: its module, and its agent while that lives.
type node struct {
	machine  *Machine // nil: never asked, or crashed
	module   installed
	releases int
	busy     Action // what the module is asked for and has not answered
	crashed  bool
	sentAck  bool
	took     bool // its right neighbour ended the stream in order
}

// stream is what is under way between node i and node i+1.
type stream struct {
	open            bool
	toRight, toLeft []Event
	syn             *Syn
}

// world is a chain of hosts in the middle of one set-up.
type world struct {
	*rapid.T
	now     time.Time
	nodes   []*node
	streams []*stream
}

func newWorld(t *rapid.T) *world {
	w := &world{T: t, now: start}
	n := rapid.IntRange(2, 5).Draw(t, "hosts")
	for range n {
		w.nodes = append(w.nodes, new(node))
	}
	for range n - 1 {
		w.streams = append(w.streams, new(stream))
	}
	first := w.nodes[0]
	first.module = waiting
	var actions []Action
	first.machine, actions = Originate("host0", w.part(0), w.now)
	w.do(0, actions)
	return w
}

func address(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}) }

// part is what the module of node i says of the session.
func (w *world) part(i int) Part {
	p := Part{ID: chain.SessionID{1}, Super: syn().Super}
	for j := i + 1; j < len(w.nodes); j++ {
		p.Hops = append(p.Hops, address(j))
	}
	if len(p.Hops) > 0 {
		p.Right = chain.FiveTuple{
			Source:      netip.AddrPortFrom(address(i), 1),
			Destination: netip.AddrPortFrom(address(i+1), 2), Protocol: chain.ProtocolUDP,
		}
	}
	return p
}

func (w *world) step(i int, e Event) {
	n := w.nodes[i]
	if n.machine == nil {
		return
	}
	actions, err := n.machine.Step(e, w.now)
	if err != nil {
		w.Fatalf("host %d: %v", i, err)
	}
	w.do(i, actions)
}

func (w *world) do(i int, actions []Action) {
	n := w.nodes[i]
	for k, a := range actions {
		switch a := a.(type) {
		case Install, Release:
			if k != len(actions)-1 || n.busy != nil {
				w.Fatalf("host %d: %v is not the last of %v, or %v is not answered yet", i, a, actions, n.busy)
			}
			n.busy = a
		case Fail:
			if n.module == waiting {
				n.module = failed
				if i > 0 {
					n.module = absent
				}
			}
		case Delete:
			n.module = absent
		case Ask:
			if err := a.Syn.Check(); err != nil || a.Host != address(i+1) || w.streams[i].syn != nil {
				w.Fatalf("host %d: %v: %v", i, a, err)
			}
			w.streams[i].open, w.streams[i].syn = true, &a.Syn
		case Confirm:
			n.sentAck = true
			w.send(i, &w.streams[i].toRight, Acked{})
		case DropRight:
			w.reset(i, true)
		case Answer:
			w.send(i-1, &w.streams[i-1].toLeft, Accepted(a))
		case Refuse:
			w.send(i-1, &w.streams[i-1].toLeft, Rejected(a))
		case EndLeft:
			w.send(i-1, &w.streams[i-1].toLeft, RightEnded{})
		case DropLeft:
			w.reset(i-1, false)
		default:
			w.Fatalf("host %d: unknown action %v", i, a)
		}
	}
}

func (w *world) send(i int, queue *[]Event, e Event) {
	if w.streams[i].open {
		*queue = append(*queue, e)
	}
}

// reset is by one end; the other one learns of it and of nothing else.
func (w *world) reset(i int, byLeft bool) {
	s := w.streams[i]
	if !s.open {
		return
	}
	s.open, s.toLeft, s.toRight = false, nil, nil
	if byLeft {
		s.toRight = []Event{LeftLost{errLost}}
	} else {
		s.toLeft = []Event{RightLost{errLost}}
	}
}

// cut is by nobody: both ends learn of it.
func (w *world) cut(i int) {
	if s := w.streams[i]; s.open {
		s.open = false
		s.toLeft, s.toRight = []Event{RightLost{errLost}}, []Event{LeftLost{errLost}}
	}
}

func (w *world) crash(i int) {
	n := w.nodes[i]
	n.machine, n.busy, n.crashed = nil, nil, true
	if i > 0 {
		w.cut(i - 1)
	}
	if i < len(w.streams) {
		w.cut(i)
	}
}

// toRight delivers what is next on stream i, and reports whether anything was.
func (w *world) toRight(i int) bool {
	s, n := w.streams[i], w.nodes[i+1]
	if n.crashed {
		w.cut(i)
	}
	if s.syn != nil && s.open && n.machine == nil && !n.crashed {
		var actions []Action
		n.machine, actions = Join(fmt.Sprintf("host%d", i+1), *s.syn, w.now)
		w.do(i+1, actions)
		return true
	}
	if len(s.toRight) == 0 {
		return false
	}
	e := s.toRight[0]
	s.toRight = s.toRight[1:]
	w.step(i+1, e)
	return true
}

func (w *world) toLeft(i int) bool {
	s := w.streams[i]
	if len(s.toLeft) == 0 {
		return false
	}
	e := s.toLeft[0]
	s.toLeft = s.toLeft[1:]
	if _, ended := e.(RightEnded); ended {
		w.nodes[i].took = w.nodes[i].machine != nil
	}
	w.step(i, e)
	return true
}

// answer makes the module of node i answer, well unless fail is set.
func (w *world) answer(i int, fail bool) bool {
	n := w.nodes[i]
	busy := n.busy
	n.busy = nil
	switch busy.(type) {
	case Install:
		if fail {
			w.step(i, NotInstalled{"table_full"})
			return true
		}
		n.module = waiting
		if i == len(w.nodes)-1 {
			n.module = up
		}
		w.step(i, Installed{w.part(i)})
	case Release:
		if fail {
			n.module = absent
			w.step(i, NotReleased{errLost})
			return true
		}
		n.releases++
		n.module = up
		w.step(i, Released{})
	default:
		return false
	}
	return true
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for i := range w.nodes {
		w.step(i, Tick{})
	}
}

// TestAnyEndIsConsistent plays one set-up with lost streams, crashed agents,
// modules that refuse, and time limits, and looks at what every host is left
// with.
func TestAnyEndIsConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		link := rapid.IntRange(0, len(w.streams)-1)
		host := rapid.IntRange(0, len(w.nodes)-1)
		deliver := func(t *rapid.T) { w.toRight(link.Draw(t, "link")) }
		back := func(t *rapid.T) { w.toLeft(link.Draw(t, "link")) }
		module := func(t *rapid.T) { w.answer(host.Draw(t, "host"), rapid.IntRange(0, 9).Draw(t, "fails") == 0) }
		t.Repeat(map[string]func(*rapid.T){
			// Good ones weigh more, or no set-up would ever succeed.
			"right": deliver, "right again": deliver, "right once more": deliver,
			"left": back, "left again": back, "left once more": back,
			"module": module, "module again": module, "module once more": module,
			"time": func(t *rapid.T) { w.pass(time.Duration(rapid.IntRange(1, 1500).Draw(t, "ms")) * time.Millisecond) },
			"trouble": func(t *rapid.T) {
				switch rapid.IntRange(0, 9).Draw(t, "kind") {
				case 0:
					w.crash(host.Draw(t, "host"))
				case 1:
					w.cut(link.Draw(t, "link"))
				}
			},
		})
		w.settle()
		w.check()
	})
}

func TestUndisturbedSetupSucceeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.settle()
		w.check()
		for i, n := range w.nodes {
			want := 1
			if i == len(w.nodes)-1 {
				want = 0 // nobody is right of it: its module never waits
			}
			if n.releases != want || n.module != up {
				t.Errorf("host %d released %d times and has %q", i, n.releases, n.module)
			}
		}
	})
}

// settle delivers all there is and lets every time limit pass.
func (w *world) settle() {
	for range 4 {
		for busy := true; busy; {
			busy = false
			for i := range w.nodes {
				busy = w.answer(i, false) || busy
			}
			for i := range w.streams {
				busy = w.toRight(i) || busy
				busy = w.toLeft(i) || busy
			}
		}
		w.pass(settleTime + Patience)
	}
}

func (w *world) check() {
	for i, n := range w.nodes {
		if n.releases > 1 {
			w.Fatalf("host %d released %d times", i, n.releases)
		}
		if n.machine != nil && n.machine.State() != Over {
			w.Fatalf("host %d ends %v", i, n.machine.State())
		}
		if n.crashed {
			continue
		}
		if n.module == waiting {
			w.Fatalf("host %d waits for ever", i)
		}
		if i > 0 && !w.nodes[i-1].sentAck && n.module != absent {
			w.Fatalf("host %d keeps a session that its left neighbour gave up", i)
		}
		if n.module == up && i < len(w.nodes)-1 && w.nodes[i+1].module != up {
			w.Fatalf("host %d keeps a session that host %d has not", i, i+1)
		}
	}
	if !w.nodes[0].took {
		return
	}
	for i, n := range w.nodes {
		if n.module != up {
			w.Fatalf("set-up succeeded, but host %d has not got the session: %q", i, n.module)
		}
	}
}
