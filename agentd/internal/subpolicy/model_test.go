// SPDX-License-Identifier: Apache-2.0

package subpolicy

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"mbchain/proto"
)

// world is everything around a machine: a module, a disk and policyd, which
// do what they are told, and what the test draws.
type world struct {
	*rapid.T
	machine *Machine

	present bool
	keys    []*proto.SetupKey
	policy  *proto.Subpolicy
	disk    *proto.Subpolicy

	nonce   uint64
	offered *proto.Subpolicy // the newest
	answer  Acknowledge      // the newest to it
}

// step gives the machine an event and does what it wants until it is content.
// Where draw is set the answers to its loads are drawn, otherwise all are
// accepted.
func (w *world) step(event Event, draw bool) {
	for event != nil {
		actions, err := w.machine.Step(event)
		if err != nil {
			w.Fatalf("%v: %v", event, err)
		}
		event = nil
		for i, a := range actions {
			switch a := a.(type) {
			case Save:
				w.disk = a.Subpolicy
			case Acknowledge:
				if a.Ref.Nonce == w.nonce {
					w.answer = a
				}
				if v := w.policy.GetVersion(); a.Version != v {
					w.Fatalf("%v, but version %d is in force", a, v)
				}
			case Load:
				if i != len(actions)-1 {
					w.Fatalf("load is not the last of %v", actions)
				}
				event = w.load(a, draw)
			}
		}
	}
}

func (w *world) load(load Load, draw bool) Event {
	outcome := "accept"
	if draw {
		outcome = rapid.SampledFrom([]string{"accept", "refuse", "refuse keys", "busy", "gone"}).Draw(w.T, "outcome")
	}
	switch outcome {
	case "refuse":
		w.keys = load.Keys
		return Refused{KeysSet: true, Err: errors.New("odd")}
	case "refuse keys":
		return Refused{Err: errors.New("odd keys")}
	case "busy":
		return Deferred{errors.New("busy")}
	case "gone":
		w.unload()
		return Gone{errors.New("gone")}
	}
	w.keys = load.Keys
	if load.Policy != nil {
		w.policy = load.Policy
	}
	return Loaded{}
}

func (w *world) unload() { w.present, w.keys, w.policy = false, nil, nil }

func (w *world) probe(draw bool) {
	if !w.present {
		w.step(Gone{errors.New("gone")}, draw)
		return
	}
	w.step(Probed{Module{
		Version: w.policy.GetVersion(), Seed: w.policy.GetSeed(), KeyIDs: keyIDs(w.keys),
	}}, draw)
}

// offerAny makes policyd push a subpolicy: any version of any policyd's.
func (w *world) offerAny(draw bool) {
	version := rapid.Uint64Range(0, 4).Draw(w.T, "version")
	s := sub(version, fmt.Sprintf("dstport=%d", rapid.IntRange(1, 2).Draw(w.T, "content")))
	if rapid.Bool().Draw(w.T, "new seed") {
		newSeed(s)
	}
	if rapid.Bool().Draw(w.T, "new key") {
		newKey(s)
	}
	w.nonce++
	w.offered = s
	w.step(offer(w.nonce, s), draw)
}

func (w *world) wantAck() {
	if w.answer.Ref.Nonce != w.nonce || w.answer.Err != "" {
		w.Fatalf("newest answer is %v, want an ack of %d", w.answer, w.nonce)
	}
}

// TestMachineEndsWithTheNewestOfferInForce plays at random, lets the module
// come back in the end and accept everything, and looks at what has become of
// policyd's newest offer.
func TestMachineEndsWithTheNewestOfferInForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{T: t, machine: New(nil)}
		w.Repeat(map[string]func(*rapid.T){
			"probe":  func(*rapid.T) { w.probe(true) },
			"offer":  func(*rapid.T) { w.offerAny(true) },
			"unload": func(*rapid.T) { w.unload(); w.probe(true) },
			"load":   func(*rapid.T) { w.present = true },
			"restart": func(*rapid.T) {
				w.machine = New(w.disk)
				w.probe(true)
			},
		})
		w.unload()
		w.probe(false)
		w.present = true
		w.probe(false)
		w.offerAny(false)

		w.wantAck()
		// What it runs no more it must not be said to run.
		w.unload()
		w.probe(false)
		if w.offered.GetVersion() != 0 && w.answer.Err == "" {
			t.Fatalf("newest answer without a module is %v, want a nack of %d", w.answer, w.nonce)
		}
		w.present = true
		w.probe(false)
		w.wantAck()
		if problem := w.machine.Status().Problem; problem != "" {
			t.Fatalf("problem: %s", problem)
		}
		if diff := cmp.Diff(w.offered.GetKeys(), w.keys, protocmp.Transform()); diff != "" {
			t.Errorf("keys in force (-want +got):\n%s", diff)
		}
		want := withKeys(w.policy, w.keys)
		if w.offered.GetVersion() != 0 {
			want = w.offered
		}
		if diff := cmp.Diff(want, withKeys(w.policy, w.keys), protocmp.Transform()); diff != "" {
			t.Errorf("in force (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, w.disk, protocmp.Transform()); diff != "" {
			t.Errorf("on disk (-want +got):\n%s", diff)
		}
	})
}
