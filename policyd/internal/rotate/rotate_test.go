// SPDX-License-Identifier: Apache-2.0

package rotate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mbchain/policyd/internal/store"
)

// domain is a policyd and its hosts. A push is under way until it is delivered, and
// so is its answer; of a host that is not connected neither is.
type domain struct {
	t     *rapid.T
	state *store.State
	index uint64
	now   time.Time
	hosts []*node
}

// node is a host: keys are what its module has.
type node struct {
	Host
	keys    []store.SetupKey
	pushes  []*store.State // on their way to it, in order
	answers []uint64       // on their way back
}

func newDomain(t *rapid.T) *domain {
	key := store.SetupKey{ID: 1, Secret: make([]byte, store.SecretLen)}
	d := &domain{t: t, now: time.Unix(1e9, 0), state: &store.State{Keys: []store.SetupKey{key}}}
	for i := range rapid.IntRange(1, 4).Draw(t, "hosts") {
		d.hosts = append(d.hosts, &node{Host: Host{Name: fmt.Sprint("host", i)}, keys: d.state.Keys})
	}
	return d
}

func (d *domain) apply(cmd *store.SetKeys) {
	if cmd == nil {
		return
	}
	d.index++
	next, err := d.state.Apply(d.index, store.Command{SetKeys: cmd})
	if err != nil {
		d.t.Fatal(err)
	}
	d.state = next
	for _, h := range d.hosts {
		if h.Connected {
			h.pushes = append(h.pushes, next)
		}
	}
}

func (d *domain) known() []Host {
	var list []Host
	for _, h := range d.hosts {
		list = append(list, h.Host)
	}
	return list
}

func (d *domain) pick() *node { return rapid.SampledFrom(d.hosts).Draw(d.t, "host") }

// actions are what may happen, in any order.
func (d *domain) actions(longAway bool) map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"begin": func(*rapid.T) { d.apply(Begin(d.state, make([]byte, store.SecretLen), d.now)) },
		"next": func(*rapid.T) {
			cmd, _ := Next(d.state, d.known(), d.now)
			d.apply(cmd)
		},
		"deliver": func(*rapid.T) {
			if h := d.pick(); len(h.pushes) > 0 {
				h.keys, h.answers = h.pushes[0].Keys, append(h.answers, h.pushes[0].Index)
				h.pushes = h.pushes[1:]
			}
		},
		"answer": func(*rapid.T) {
			if h := d.pick(); len(h.answers) > 0 {
				h.Acked, h.answers = max(h.Acked, h.answers[0]), h.answers[1:]
			}
		},
		"connect": func(*rapid.T) {
			if h := d.pick(); !h.Connected {
				h.Connected, h.pushes = true, []*store.State{d.state}
			}
		},
		"disconnect": func(*rapid.T) { h := d.pick(); h.Connected, h.pushes, h.answers = false, nil, nil },
		"restart": func(*rapid.T) { // of policyd: it knows the state and no answer
			for _, h := range d.hosts {
				h.Host, h.pushes, h.answers = Host{Name: h.Name}, nil, nil
			}
		},
		"wait": func(*rapid.T) {
			if d.now = d.now.Add(time.Minute); longAway {
				d.now = d.now.Add(AbsentFor)
			}
		},
	}
}

// refused is a pair of which one signs with a key that the other has not.
func refused(hosts []*node) string {
	for _, from := range hosts {
		for _, to := range hosts {
			if !slices.ContainsFunc(to.keys, func(k store.SetupKey) bool { return k.ID == from.keys[0].ID }) {
				return fmt.Sprintf("%s signs with key %d, %s has %v", from.Name, from.keys[0].ID, to.Name, to.keys)
			}
		}
	}
	return ""
}

// Whatever order pushes and answers come in, hosts come and go and policyd is
// restarted: each host takes the headers of every other.
func TestNoHeaderIsRefusedInARotation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDomain(t)
		actions := d.actions(false)
		began := d.now
		actions[""] = func(t *rapid.T) {
			if len(d.state.Keys) > store.MaxKeys {
				t.Fatalf("%d keys live", len(d.state.Keys))
			}
			if what := refused(d.hosts); what != "" && d.now.Sub(began) < AbsentFor {
				t.Fatal(what)
			}
		}
		t.Repeat(actions)
	})
}

// A host that was away for longer than is waited for may be behind; those that are
// connected and have answered never refuse each other.
func TestAbsentHostsDoNotHoldUpTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDomain(t)
		actions := d.actions(true)
		actions[""] = func(t *rapid.T) {
			var here []*node
			for _, h := range d.hosts {
				// What it has acknowledged is what it has loaded.
				if h.Connected && h.Acked >= d.state.KeysIndex && len(h.pushes) == 0 {
					here = append(here, h)
				}
			}
			if what := refused(here); what != "" {
				t.Fatal(what)
			}
		}
		t.Repeat(actions)
	})
}

// With every host connected, a rotation ends.
func TestRotationEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDomain(t)
		for _, h := range d.hosts {
			h.Connected = true
		}
		d.apply(Begin(d.state, make([]byte, store.SecretLen), d.now))
		var steps []Step
		for range 10 {
			steps = append(steps, Of(d.state))
			for _, h := range d.hosts {
				for _, s := range h.pushes {
					h.keys, h.Acked = s.Keys, s.Index
				}
				h.pushes = nil
			}
			d.now = d.now.Add(time.Minute)
			cmd, waiting := Next(d.state, d.known(), d.now)
			if len(waiting) > 0 {
				t.Fatalf("waits for %v", waiting)
			}
			d.apply(cmd)
		}
		if d.state.Keys[0].ID != 2 || Of(d.state) != Idle {
			t.Fatalf("keys %v after steps %v", d.state.Keys, steps)
		}
	})
}

func TestConnectedHostThatDoesNotAnswerHoldsUpTheRotation(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := &store.State{Keys: []store.SetupKey{{ID: 1}, {ID: 2}}, KeysIndex: 9, KeysUnixMS: now.UnixMilli()}
	tests := []struct {
		name string
		host Host
		late time.Duration
		want bool // the next step is taken
	}{
		{"has it", Host{Acked: 9, Connected: true}, 0, true},
		{"had it, and is away", Host{Acked: 9}, 0, true},
		{"does not answer", Host{Acked: 8, Connected: true}, 1000 * time.Hour, false},
		{"is away", Host{Acked: 8}, AbsentFor - time.Second, false},
		{"is away for long", Host{Acked: 8}, AbsentFor, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd, waiting := Next(s, []Host{tt.host}, now.Add(tt.late))
			if (cmd != nil) != tt.want || (len(waiting) == 0) != tt.want {
				t.Errorf("command %v, waiting for %v", cmd, waiting)
			}
		})
	}
}

func TestRotationIsDue(t *testing.T) {
	now := time.Unix(1e9, 0)
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMilli() }
	day := 24 * time.Hour
	revoked := func(role string, at int64) []store.Member {
		return []store.Member{{Role: role, Name: "x", Revoked: true, RevokedUnixMS: at}}
	}
	tests := []struct {
		name  string
		state store.State
		every time.Duration
		want  bool
	}{
		{"young", store.State{Keys: []store.SetupKey{{ID: 2, CreatedUnixMS: ago(day - time.Second)}}}, day, false},
		{"old", store.State{Keys: []store.SetupKey{{ID: 2, CreatedUnixMS: ago(day)}}}, day, true},
		{"old, and nobody minds", store.State{Keys: []store.SetupKey{{ID: 2, CreatedUnixMS: ago(day)}}}, 0, false},
		{"the first one", store.State{Keys: []store.SetupKey{{ID: 1}}}, 2 * time.Hour, false},
		{"the first one, old", store.State{Keys: []store.SetupKey{{ID: 1}}}, time.Hour, true},
		{"under way", store.State{Keys: []store.SetupKey{{ID: 1}, {ID: 2}}}, time.Hour, false},
		{"no key yet", store.State{}, time.Hour, false},
		{"a host was revoked", store.State{Keys: []store.SetupKey{{ID: 2, CreatedUnixMS: ago(time.Minute)}}, Members: revoked("agent", ago(time.Second))}, 0, true},
		{"a host was revoked before", store.State{Keys: []store.SetupKey{{ID: 2, CreatedUnixMS: ago(time.Second)}}, Members: revoked("agent", ago(time.Minute))}, 0, false},
		{"a person was revoked", store.State{Keys: []store.SetupKey{{ID: 2, CreatedUnixMS: ago(time.Minute)}}, Members: revoked("viewer", ago(time.Second))}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Due(&tt.state, tt.every, now.Add(-time.Hour), now); got != tt.want {
				t.Errorf("due: %t, want %t", got, tt.want)
			}
		})
	}
}
