// SPDX-License-Identifier: Apache-2.0

package push

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mbchain/policy"
	"mbchain/policyd/internal/health"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// leadGrace is how long a hub that has begun to lead gives agents to come, beyond
// [health.SilentAfter]: they wait between two tries.
const leadGrace = 8 * time.Second

// WeighEvery is how often hosts may get other weights because of loads: each time all
// of them are pushed a change. What state an instance is in does not wait.
const WeighEvery = 5 * time.Second

// Instance is how an instance of the policy stands.
type Instance struct {
	Type     *policy.Type // as written
	Instance policy.Instance
	Host     string         // empty: no host has its address
	Verdict  health.Verdict // of its host
	Drain    store.Drain    // Host is empty: it is not drained
	Load     *proto.LoadReport
}

// drained is the state of an instance that is.
const drained = "drained"

// State is how the instance stands, in a word.
func (i Instance) State() string {
	if i.Drain.Host != "" {
		return drained
	}
	return i.Verdict.State.String()
}

// InstanceStates are the words that [Instance.State] may return.
func InstanceStates() []string {
	var words []string
	for s := health.Unknown; s <= health.Failed; s++ {
		words = append(words, s.String())
	}
	return append(words, drained)
}

// Report takes what a host's agent says of it, and returns when the next report is
// wanted. Only a host that is connected can report.
func (h *Hub) Report(name string, r health.Report, load *proto.LoadReport) (next time.Duration, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.hosts[name]
	if e == nil || e.stream == nil {
		return 0, fmt.Errorf("%w: %s", ErrNoStream, name)
	}
	now := time.Now()
	next = health.SeldomEvery
	if h.domain != nil && h.domain.isInstance[name] {
		next = health.ReportEvery
	}
	e.lastSeen, e.load = now, load
	e.health.Report(r, next, now)
	return next, nil
}

// Look judges the hosts that are instances of the policy, and has others choose anew if
// one has got better or worse. It is to be called often: see [health.Machine.Look].
// Only where the hub leads. It returns the hosts whose state has changed.
func (h *Hub) Look() []Turn {
	h.updating.Lock()
	defer h.updating.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ready() != nil {
		return nil
	}
	now := time.Now()
	verdicts := make(map[string]health.Verdict, len(h.domain.isInstance))
	weigh, weighed := now.Sub(h.weighed) >= WeighEvery, false
	var turns []Turn
	for name := range h.domain.isInstance {
		e := h.known(name)
		before := e.health.Verdict()
		v := e.health.Look(now)
		if old, known := h.domain.verdicts[name]; known && v.Step != old.Step {
			if weighed = true; !weigh {
				v.Step = old.Step
			}
		}
		verdicts[name] = v
		if v.State != before.State && before.State != health.Unknown {
			turns = append(turns, Turn{Host: name, From: before.State, Verdict: v})
		}
	}
	slices.SortFunc(turns, func(a, b Turn) int { return strings.Compare(a.Host, b.Host) })
	if weigh && weighed {
		h.weighed = now
	}
	old := h.domain
	if maps.Equal(old.verdicts, verdicts) {
		return turns
	}
	h.domain = old.rejudge(verdicts)
	if h.domain.Chosen != old.Chosen {
		h.settle(old)
	}
	return turns
}

// Turn is a host that has got better or worse.
type Turn struct {
	Host    string
	From    health.State
	Verdict health.Verdict
}

// known returns what the hub knows of a host, which is nothing yet if it has not
// connected since the hub leads. h.mu is held.
func (h *Hub) known(name string) *host {
	e := h.hosts[name]
	if e == nil {
		e = newHost(h.started.Add(leadGrace))
		h.hosts[name] = e
	}
	return e
}

// Instances returns those of the policy, in its order, and the domain that it is of.
func (h *Hub) Instances() (*Domain, []Instance, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.ready(); err != nil {
		return nil, nil, err
	}
	var list []Instance
	for _, t := range h.domain.Policy.Types {
		for _, in := range t.Instances {
			i := Instance{Type: t, Instance: in, Host: h.domain.hostOf(in)}
			if e := h.hosts[i.Host]; e != nil && i.Host != "" {
				i.Verdict, i.Load = e.health.Verdict(), e.load
			}
			i.Drain, _ = h.domain.State.Drained(i.Host, t.Name)
			list = append(list, i)
		}
	}
	return h.domain, list, nil
}

// forgetVerdicts is for a hub that leads no more. h.mu is held.
func (h *Hub) forgetVerdicts() {
	if h.domain != nil {
		h.domain = h.domain.rejudge(nil)
	}
}
