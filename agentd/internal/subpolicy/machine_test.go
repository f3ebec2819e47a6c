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

// script is what a machine with the last good subpolicy good goes through.
type script struct {
	name  string
	good  *proto.Subpolicy
	steps []step
}

func play(t *testing.T, scripts []script) {
	t.Helper()
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			m := New(s.good)
			for i, step := range s.steps {
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
