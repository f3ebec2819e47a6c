// SPDX-License-Identifier: Apache-2.0

package push

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
	"mbchain/proto/delta"
)

// manyRules is a policy of n rules for every host.
func manyRules(n int) string {
	text := "type firewall { 10.0.0.2 }\n"
	for i := range n {
		text += fmt.Sprintf("match(dstport=%d) >> {firewall}\n", i+1)
	}
	return text
}

func changing(name, address string, has *delta.Whole) Registration {
	r := registration(name, address)
	r.TakesChanges = true
	if has != nil {
		r.Held, r.Running = has.Digest(), has.Subpolicy().Version
	}
	return r
}

// lead makes the hub forget who was connected, as one that leads anew has.
func (d *domain) lead() {
	d.t.Helper()
	d.hub.Follow()
	state, err := d.fsm.State()
	if err != nil {
		d.t.Fatal(err)
	}
	d.hub.Lead(state)
}

// want checks that a host has what it would have been sent as a whole.
func (d *domain) want(what string, host store.Host, has *delta.Whole) {
	d.t.Helper()
	now, err := d.hub.Domain()
	if err != nil {
		d.t.Fatal(err)
	}
	want := now.whole(host).Subpolicy()
	if diff := cmp.Diff(want, has.Subpolicy(), protocmp.Transform()); diff != "" {
		d.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// A policy that changes, a key and a host that come are pushed as what they change.
func TestPushesAreChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(manyRules(100))
		r := changing("a", "10.0.0.1", nil)
		a := d.connect(r)
		nonce, has, change := a.next(nil)
		if change {
			t.Error("the first push to a new agent is a change")
		}
		a.acknowledge(nonce, 1, "")
		for _, tt := range []struct {
			what string
			do   func()
		}{
			{"a rule at the top", func() { d.policy("match(dstport=443) >> {}\n" + manyRules(100)) }},
			{"a rule less", func() { d.policy(manyRules(99)) }},
			{"another type", func() { d.policy(strings.ReplaceAll(manyRules(99), "10.0.0.2", "10.0.0.3")) }},
			{"a host more", func() { d.connect(registration("b", "10.0.0.9")); time.Sleep(settleFor) }},
		} {
			tt.do()
			nonce, has, change = a.next(has)
			if !change {
				t.Errorf("%s: pushed whole", tt.what)
			}
			d.want(tt.what, r.Host, has)
			a.acknowledge(nonce, has.Subpolicy().Version, "")
		}
		d.policy("match(any) >> {}")
		if _, _, change := a.next(has); change {
			t.Error("a change that is larger than the whole was pushed")
		}
	})
}

// An agent that knows no changes gets wholes.
func TestOldAgentGetsWholes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(manyRules(100))
		a := d.connect(registration("a", "10.0.0.1"))
		a.subpolicy()
		d.policy(manyRules(101))
		if _, s := a.subpolicy(); len(s.Rules) != 101 {
			t.Errorf("%d rules, want 101", len(s.Rules))
		}
	})
}

// An agent that was away gets what has changed since, if it has what it acknowledged
// last. A policyd that has never seen it knows what it has if that is what runs now, or a
// version of the history. All others get the whole.
func TestAgentThatWasAwayCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(manyRules(100))
		a := d.connect(changing("a", "10.0.0.1", nil))
		nonce, has, _ := a.next(nil)
		a.acknowledge(nonce, 1, "")
		a.leave()
		for i := range 5 {
			d.policy(manyRules(101 + i))
		}
		r := changing("a", "10.0.0.1", has)
		a = d.connect(r)
		nonce, has, change := a.next(has)
		if !change {
			t.Error("an agent that was away was pushed the whole")
		}
		d.want("after its return", r.Host, has)
		a.acknowledge(nonce, 6, "")
		a.leave()

		d.lead()
		a = d.connect(changing("a", "10.0.0.1", has))
		if _, now, change := a.next(has); !change || now.Digest() != has.Digest() {
			t.Error("a policyd that leads anew did not find that the agent has what runs")
		}
		a.leave()
		d.policy(manyRules(120)) // while nobody knows the agent
		d.lead()
		r = changing("a", "10.0.0.1", has)
		a = d.connect(r)
		if _, has, change = a.next(has); !change {
			t.Error("a policyd that leads anew did not find what the agent has in the history")
		}
		d.want("from another policyd", r.Host, has)
		a.leave()
		a = d.connect(changing("a", "10.0.0.1", delta.New(&proto.Subpolicy{Version: 9}, nil)))
		if _, _, change := a.next(has); change {
			t.Error("a change of what nobody knows was pushed")
		}
	})
}

// After a refusal the next push is a whole; after a change that could not be made
// it comes at once, once.
func TestWholeAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, o := observed(t)
		d.policy(manyRules(100))
		a := d.connect(changing("a", "10.0.0.1", nil))
		nonce, has, _ := a.next(nil)
		a.acknowledge(nonce, 1, "")

		d.policy(manyRules(101))
		nonce, has, _ = a.next(has)
		a.acknowledge(nonce, 1, "no memory")
		if p := a.take(); len(p) != 0 {
			t.Errorf("pushed %v to a host that has no memory for it", p)
		}
		d.policy(manyRules(102))
		nonce, has, change := a.next(has)
		if change {
			t.Error("a change was pushed after a refusal")
		}
		a.acknowledge(nonce, 3, "")

		d.policy(manyRules(103))
		nonce, _, _ = a.next(has)
		a.misfit(nonce, 3)
		whole, has, change := a.next(nil)
		if change || has.Subpolicy().Version != 4 {
			t.Errorf("change %t of version %d, want the whole of version 4", change, has.Subpolicy().Version)
		}
		a.misfit(nonce, 3) // late
		a.misfit(whole, 3) // a whole fits everybody
		if p := a.take(); len(p) != 0 {
			t.Errorf("pushed %v, want nothing", p)
		}
		a.acknowledge(whole, 4, "")
		o.want(t, "pushed", "loaded", "pushed a change", "refused",
			"pushed", "spread after 0s", "loaded", "pushed a change", "misfit", "pushed", "late", "misfit", "spread after 0s", "loaded")
	})
}

// Hosts that need the same share it, and what changes it.
func TestHostsShareWhatIsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(manyRules(10) + "match(srcip=10.0.0.1 & dstport=99) >> {}\n")
		was, err := d.hub.Domain()
		if err != nil {
			t.Fatal(err)
		}
		host := func(address string) store.Host { return registration("x", address).Host }
		a, b, c := was.whole(host("10.0.0.1")), was.whole(host("10.0.0.7")), was.whole(host("10.0.0.8"))
		if a == b || b != c {
			t.Errorf("a and b share one: %t, want not; b and c: %t", a == b, b == c)
		}
		d.policy(manyRules(11))
		now, err := d.hub.Domain()
		if err != nil {
			t.Fatal(err)
		}
		next := now.whole(host("10.0.0.7"))
		if one := now.change(b, next); one == nil || one != now.change(c, next) {
			t.Errorf("the change %v is worked out twice", one)
		}
	})
}
