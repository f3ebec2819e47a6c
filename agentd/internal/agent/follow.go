// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/subpolicy"
	"mbchain/proto"
)

const (
	// probeInterval is how often the module is asked what it runs: how long
	// a module that was loaded anew may be without its policy.
	probeInterval = time.Second
	// addressInterval is how often the host's addresses are looked at.
	addressInterval = 10 * time.Second
)

// follow runs the machine until ctx is done.
func (a *Agent) follow(ctx context.Context) {
	good, err := a.disk.Load()
	if err != nil {
		a.log.Error("subpolicy on disk not used", "error", err)
	}
	f := follower{Agent: a, machine: subpolicy.New(good)}
	f.last = f.machine.Status()
	probe := time.NewTicker(probeInterval)
	defer probe.Stop()
	addresses := time.NewTicker(addressInterval)
	defer addresses.Stop()
	f.probe(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-probe.C:
			f.probe(ctx)
		case <-a.prompt:
			f.probe(ctx)
		case offer := <-a.offers:
			f.step(ctx, offer)
		case <-addresses.C:
			a.checkAddresses()
		}
	}
}

// follower is what the goroutine of the machine has for itself.
type follower struct {
	*Agent
	machine *subpolicy.Machine
	last    subpolicy.Status // after the last step
	keys    int              // of the module, at the last probe
	module  uint16           // which one it was, at the last probe; 0: none
	unsaved *proto.Subpolicy // what the disk did not take; nil: nothing
}

func (f *follower) probe(ctx context.Context) {
	if f.unsaved != nil {
		f.save(f.unsaved)
	}
	info, err := f.kernel.Info(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		f.see(nil)
		f.keys, f.module = 0, 0
		f.step(ctx, subpolicy.Gone{Err: err})
		return
	}
	// A module that has forgotten what it had was loaded anew, and so was one
	// of another number.
	if info.Version == 0 && f.last.Running != 0 || len(info.KeyIDs) == 0 && f.keys != 0 ||
		f.module != 0 && info.Instance != f.module {
		f.replace()
	}
	f.keys, f.module = len(info.KeyIDs), info.Instance
	f.standIn(ctx, info)
	err = f.arrange(ctx, info)
	f.see(&info)
	if err != nil {
		f.step(ctx, subpolicy.Gone{Err: err})
		return
	}
	f.step(ctx, subpolicy.Probed{Module: info.Module})
}

// step gives the machine an event, does what it wants, and gives it what
// comes of that.
func (f *follower) step(ctx context.Context, event subpolicy.Event) {
	for event != nil {
		actions, err := f.machine.Step(event)
		if err != nil {
			f.log.Error("subpolicy machine", "error", err)
			return
		}
		f.note(event)
		event = nil
		for _, action := range actions {
			switch action := action.(type) {
			case subpolicy.Load:
				event = f.load(ctx, action) // the last of the actions
			case subpolicy.Save:
				f.save(action.Subpolicy)
			case subpolicy.Acknowledge:
				f.policyd.Acknowledge(ctx, action)
			}
		}
	}
}

// note publishes the machine's status and logs what is new in it.
func (f *follower) note(event subpolicy.Event) {
	old, now := f.last, f.machine.Status()
	f.last = now
	f.mu.Lock()
	f.status, f.good = now, f.machine.Good()
	f.mu.Unlock()

	f.log.Debug("subpolicy machine", "event", event, "state", now.State)
	if old.State == subpolicy.Absent && now.State != subpolicy.Absent {
		f.log.Info("module found", "policy_version", now.Running)
	}
	if now.State == subpolicy.Absent && old.State != subpolicy.Absent {
		f.replace()
	}
	if now.Problem != "" && now.Problem != old.Problem {
		f.log.Warn("subpolicy not in force", "error", now.Problem,
			"policy_version", now.Running, "offered_version", now.Offered)
	}
}

// load performs a Load and returns the event that answers it; nil when ctx is
// done, and there is nobody to tell.
func (f *follower) load(ctx context.Context, load subpolicy.Load) subpolicy.Event {
	began := time.Now()
	err := f.kernel.SetKeys(ctx, load.Keys)
	keysSet := err == nil
	if keysSet && load.Policy != nil {
		err = f.kernel.LoadPolicy(ctx, load.Policy)
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, kernel.ErrAbsent):
		return subpolicy.Gone{Err: err}
	case errors.Is(err, kernel.ErrPasses):
		return subpolicy.Deferred{Err: err}
	case err != nil:
		return subpolicy.Refused{KeysSet: keysSet, Err: err}
	}
	if load.Policy == nil {
		f.log.Info("set-up keys loaded", "keys", len(load.Keys))
	} else {
		f.log.Info("subpolicy loaded", "policy_version", load.Policy.GetVersion(),
			"rules", len(load.Policy.GetRules()), "keys", len(load.Keys), "took", time.Since(began))
	}
	return subpolicy.Loaded{}
}

// save keeps a subpolicy on disk, or tries again at the next probe. Without it
// the host runs on: it only has nothing to load should it boot while policyd is
// away.
func (f *follower) save(sub *proto.Subpolicy) {
	again := sub == f.unsaved
	f.unsaved = nil
	if err := f.disk.Save(sub); err != nil {
		f.unsaved = sub
		if !again { // told already
			f.log.Error("subpolicy not kept on disk", "policy_version", sub.GetVersion(), "error", err)
		}
	}
}

// checkAddresses registers anew when the host's addresses are not what policyd
// was told.
func (a *Agent) checkAddresses() {
	now, err := a.config.Addresses()
	if err != nil {
		a.log.Debug("addresses not read", "error", err)
		return
	}
	a.mu.Lock()
	changed := a.registered != nil && !slices.Equal(now, a.registered)
	a.mu.Unlock()
	if changed {
		a.log.Info("addresses changed", "addresses", now)
		a.policyd.Resubscribe()
	}
}
