// SPDX-License-Identifier: Apache-2.0

package subpolicy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/proto"
)

var (
	seed  = []byte("seedseedseedseed")
	other = []byte("other-other-othe")
)

// sub is a subpolicy with one rule for each given predicate and key 1.
func sub(version uint64, predicates ...string) *proto.Subpolicy {
	s := &proto.Subpolicy{
		Version: version, Seed: seed,
		Keys: []*proto.SetupKey{{Id: 1, Secret: []byte("kkkkkkkkkkkkkkkk")}},
	}
	for i, p := range predicates {
		s.Rules = append(s.Rules, &proto.Rule{Number: uint32(i + 1), Predicate: p})
	}
	return s
}

func with(s *proto.Subpolicy, change func(*proto.Subpolicy)) *proto.Subpolicy {
	change(s)
	return s
}

func newKey(s *proto.Subpolicy) {
	s.Keys = []*proto.SetupKey{{Id: 2, Secret: []byte("nnnnnnnnnnnnnnnn")}, s.Keys[0]}
}

func newSeed(s *proto.Subpolicy) { s.Seed = other }

// running is a module that runs s with its keys.
func running(s *proto.Subpolicy) Probed {
	return Probed{Module{Version: s.GetVersion(), Seed: s.GetSeed(), KeyIDs: keyIDs(s.GetKeys())}}
}

func offer(nonce uint64, s *proto.Subpolicy) Offered {
	return Offered{Ref: Ref{Stream: 1, Nonce: nonce}, Subpolicy: s}
}

var (
	empty   = Probed{}
	gone    = Gone{errors.New("no module")}
	busy    = Deferred{errors.New("busy")}
	bad     = Refused{Err: errors.New("bad keys")}
	badRule = Refused{KeysSet: true, Err: errors.New("bad rule")}
)

// A step is an event, the actions it must bring about, "; " between them, and
// the problem that the machine must report afterwards.
type step struct {
	event   Event
	want    string
	problem string
}

func TestMachine(t *testing.T) {
	tests := []struct {
		name  string
		good  *proto.Subpolicy
		steps []step
	}{{
		name: "nothing anywhere",
		steps: []step{
			{event: gone, problem: "no module"},
			{event: gone, problem: "no module"},
			{event: empty},
			{event: empty},
		},
	}, {
		name: "the last good one is loaded into an empty module",
		good: sub(3, "any"),
		steps: []step{
			{event: empty, want: "load version=3 keys=1"},
			{event: Loaded{}},
			{event: running(sub(3))},
		},
	}, {
		name: "the last good one is loaded over an older one",
		good: sub(3, "any"),
		steps: []step{
			{event: running(sub(2)), want: "load version=3 keys=1"},
			{event: Loaded{}},
		},
	}, {
		name: "a module that runs the same version is left alone",
		good: sub(3, "any"),
		steps: []step{
			{event: running(sub(3))},
		},
	}, {
		name: "a module that is ahead of the disk is left alone",
		good: sub(3, "any"),
		steps: []step{
			{event: running(sub(4))},
		},
	}, {
		name: "a module with the policy of another policyd is left alone",
		good: sub(3, "any"),
		steps: []step{
			{event: running(with(sub(2), newSeed))},
		},
	}, {
		name: "keys are set where there are none",
		good: sub(3, "any"),
		steps: []step{
			{event: Probed{Module{Version: 3, Seed: seed}}, want: "load keys=1"},
			{event: Loaded{}},
			{event: running(sub(3))},
		},
	}, {
		name: "the last good one is not tried twice on a module that refuses it",
		good: sub(3, "any"),
		steps: []step{
			{event: empty, want: "load version=3 keys=1"},
			{event: badRule, problem: "bad rule"},
			{event: empty, problem: "bad rule"},
			{event: gone, problem: "no module"},
			{event: empty, want: "load version=3 keys=1"},
			{event: Loaded{}},
		},
	}, {
		name: "a busy module is asked again",
		good: sub(3, "any"),
		steps: []step{
			{event: empty, want: "load version=3 keys=1"},
			{event: busy, problem: "busy"},
			{event: empty, want: "load version=3 keys=1", problem: "busy"},
			{event: Loaded{}},
		},
	}, {
		name: "an offer is loaded, kept and acknowledged",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
			{event: running(sub(4))},
		},
	}, {
		name: "an offer that is in force is not loaded again",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(4, "any")), want: "ack 1/1 version=4"},
		},
	}, {
		name: "an offer of the same version but other content is loaded",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(4, "proto=tcp")), want: "load version=4 keys=1"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "an offer is loaded when the disk knows nothing of what is in force",
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "an offer of a lower version is loaded: policyd was set up anew",
		good: sub(9, "any"),
		steps: []step{
			{event: running(sub(9))},
			{event: offer(1, with(sub(1, "any"), newSeed)), want: "load version=1 keys=1"},
			{event: Loaded{}, want: "save version=1; ack 1/1 version=1"},
			{event: running(with(sub(1), newSeed))},
		},
	}, {
		name: "new keys alone leave the rules alone",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, with(sub(4, "any"), newKey)), want: "load keys=2"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "a key with another secret is a new key",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{
				event: offer(1, with(sub(4, "any"), func(s *proto.Subpolicy) { s.Keys[0].Secret[0] = 'x' })),
				want:  "load keys=1",
			},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "version 0 brings keys alone",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, with(sub(0), newKey)), want: "load keys=2"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
			{event: empty, want: "load version=4 keys=2"},
		},
	}, {
		name: "version 0 on a host that never had a policy",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(0)), want: "load keys=1"},
			{event: Loaded{}, want: "save version=0; ack 1/1 version=0"},
			{event: Probed{Module{KeyIDs: []uint32{1}}}},
			{event: gone, problem: "no module"},
			{event: empty, want: "load keys=1"},
			{event: Loaded{}},
		},
	}, {
		name: "a refused offer is answered once, and the old subpolicy stays",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(5, "odd")), want: "load version=5 keys=1"},
			{event: badRule, want: "nack 1/1 version=4: bad rule", problem: "bad rule"},
			{event: running(sub(4)), problem: "bad rule"},
			{event: offer(2, sub(6, "any")), want: "load version=6 keys=1"},
			{event: Loaded{}, want: "save version=6; ack 1/2 version=6"},
		},
	}, {
		name: "keys come into force though the rules beside them are refused",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, with(sub(5, "odd"), newKey)), want: "load version=5 keys=2"},
			{event: badRule, want: "save version=4; nack 1/1 version=4: bad rule", problem: "bad rule"},
			{event: empty, want: "load version=4 keys=2", problem: "bad rule"},
		},
	}, {
		name: "keys that are refused are not kept",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, with(sub(5, "any"), newKey)), want: "load version=5 keys=2"},
			{event: bad, want: "nack 1/1 version=4: bad keys", problem: "bad keys"},
			{event: empty, want: "load version=4 keys=1", problem: "bad keys"},
			{event: Loaded{}, problem: "bad keys"},
		},
	}, {
		name: "a refused offer is tried on the next module",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(5, "odd")), want: "load version=5 keys=1"},
			{event: badRule, want: "nack 1/1 version=4: bad rule", problem: "bad rule"},
			{event: gone, problem: "no module"},
			{event: empty, want: "load version=5 keys=1", problem: "bad rule"},
			{event: Loaded{}, want: "save version=5; ack 1/1 version=5"},
		},
	}, {
		name: "an offer without a module is refused, and loaded when it comes",
		steps: []step{
			{event: gone, problem: "no module"},
			{event: offer(1, sub(4, "any")), want: "nack 1/1 version=0: no module", problem: "no module"},
			{event: gone, problem: "no module"},
			{event: empty, want: "load version=4 keys=1", problem: "no module"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "an offer comes before the module was seen",
		steps: []step{
			{
				event:   offer(1, sub(4, "any")),
				want:    "nack 1/1 version=0: the kernel module was not asked yet",
				problem: "the kernel module was not asked yet",
			},
		},
	}, {
		name: "a deferred offer is tried again, and refused once for each reason",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: busy, want: "nack 1/1 version=0: busy", problem: "busy"},
			{event: empty, want: "load version=4 keys=1", problem: "busy"},
			{event: busy, problem: "busy"},
			{event: empty, want: "load version=4 keys=1", problem: "busy"},
			{event: Deferred{errors.New("full")}, want: "nack 1/1 version=0: full", problem: "full"},
			{event: empty, want: "load version=4 keys=1", problem: "full"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "the module goes while it loads",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: gone, want: "nack 1/1 version=0: no module", problem: "no module"},
			{event: empty, want: "load version=4 keys=1", problem: "no module"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		// The nack once named the version that the module had run before.
		name: "a module that goes while it loads runs nothing any more",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(5, "any")), want: "load version=5 keys=1"},
			{event: gone, want: "nack 1/1 version=0: no module", problem: "no module"},
		},
	}, {
		name: "an offer during a load has its turn afterwards",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: offer(2, sub(5, "any"))},
			{event: offer(3, sub(6, "any"))},
			{event: empty},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4; load version=6 keys=1"},
			{event: Loaded{}, want: "save version=6; ack 1/3 version=6"},
		},
	}, {
		name: "an offer during a load, and both lose the module",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: offer(2, sub(5, "any"))},
			{
				event:   gone,
				want:    "nack 1/1 version=0: no module; nack 1/2 version=0: no module",
				problem: "no module",
			},
			{event: empty, want: "load version=5 keys=1", problem: "no module"},
		},
	}, {
		name: "the module is loaded anew between two probes",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: empty, want: "load version=4 keys=1"},
			{event: Loaded{}},
		},
	}, {
		name: "answers that nobody asked for",
		good: sub(4, "any"),
		steps: []step{
			{event: Loaded{}, want: "unexpected event: loaded while absent", problem: "the kernel module was not asked yet"},
			{event: running(sub(4))},
			{event: badRule, want: "unexpected event: refused keys_set=true: bad rule while idle"},
			{event: busy, want: "unexpected event: deferred: busy while idle"},
		},
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := New(test.good)
			for i, step := range test.steps {
				actions, err := m.Step(step.event)
				if diff := cmp.Diff(step.want, describe(actions, err)); diff != "" {
					t.Errorf("step %d, %v: actions (-want +got):\n%s", i, step.event, diff)
				}
				if diff := cmp.Diff(step.problem, m.Status().Problem); diff != "" {
					t.Errorf("step %d, %v: problem (-want +got):\n%s", i, step.event, diff)
				}
			}
		})
	}
}

func describe(actions []Action, err error) string {
	if err != nil {
		return err.Error()
	}
	var texts []string
	for _, a := range actions {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, "; ")
}

func TestStatusNamesWhatIsInForceAndWhatWasOffered(t *testing.T) {
	m := New(nil)
	check := func(want Status) {
		t.Helper()
		if diff := cmp.Diff(want, m.Status()); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	}
	do := func(e Event) {
		t.Helper()
		if _, err := m.Step(e); err != nil {
			t.Fatal(err)
		}
	}
	check(Status{State: Absent, Problem: "the kernel module was not asked yet"})
	do(running(sub(3)))
	check(Status{State: Idle, Running: 3})
	do(offer(1, sub(5, "any")))
	check(Status{State: Loading, Running: 3, Offered: 5})
	do(badRule)
	check(Status{State: Idle, Running: 3, Offered: 5, Problem: "bad rule"})
	do(gone)
	check(Status{State: Absent, Offered: 5, Problem: "no module"})
}

func TestStatesHaveNames(t *testing.T) {
	want := map[State]string{Absent: "absent", Idle: "idle", Loading: "loading", 9: "state(9)"}
	for s, name := range want {
		if s.String() != name {
			t.Errorf("state %d is called %q, want %q", uint8(s), s, name)
		}
	}
}
