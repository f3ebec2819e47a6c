// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/probe"
	"mbchain/agentd/internal/subpolicy"
)

// A Snapshot is what an agent knows of its host without asking anybody: no older
// than [probeInterval], unless the module takes longer to answer.
type Snapshot struct {
	Present   bool        // the module answered the last probe
	Module    kernel.Info // what it said; zero when it is not there
	Policy    subpolicy.Status
	NFTypes   []string
	NFInPlace bool // the NF gets its packets as configured
	PastNF    bool // see [Agent.PastNF]
	Connected bool // policyd can reach this host
	Probe     probe.Result
}

// Snapshot returns what the agent knows now.
func (a *Agent) Snapshot() Snapshot {
	connected := a.policyd.Connected()
	a.mu.Lock()
	defer a.mu.Unlock()
	var found probe.Result
	if a.config.Probe != nil {
		found = a.config.Probe.Result()
	}
	s := Snapshot{
		Probe:  found,
		Policy: a.status, NFTypes: a.config.NFTypes, PastNF: a.nfPast, Connected: connected,
	}
	if a.seen != nil {
		s.Present, s.Module = true, *a.seen
		s.NFInPlace = a.nfErr == nil && a.seen.NF == a.config.NF
	}
	return s
}

// see notes what the module said of itself; nil: it did not answer.
func (a *Agent) see(info *kernel.Info) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looked, a.seen = true, info
}
