// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"mbchain/agentd/internal/kernel"
	"mbchain/chain"
	"mbchain/proto"
)

// watchInterval is the pause before events are followed again: no longer than
// a module that was loaded anew goes unnoticed.
const watchInterval = probeInterval

// watch follows the module's events until ctx is done, of one module after the
// other.
func (a *Agent) watch(ctx context.Context) {
	v := newView()
	for ctx.Err() == nil {
		err := a.watchModule(ctx, v)
		if err != nil && !errors.Is(err, kernel.ErrAbsent) {
			a.log.Warn("events not followed", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchInterval):
		}
	}
}

// watchModule follows the events of the module that is there now, until it is
// replaced.
func (a *Agent) watchModule(ctx context.Context, v *view) error {
	replaced := a.Replaced()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-replaced:
			cancel()
		case <-ctx.Done():
		}
	}()
	synced := false
	err := a.kernel.Watch(ctx, func(e kernel.Event) {
		if e.Resync && synced {
			a.log.Warn("events lost")
		}
		synced = true
		a.take(ctx, v, e)
	})
	canceled := ctx.Err() != nil
	cancel()
	<-ended
	if canceled {
		return nil
	}
	return err
}

// Replaced returns a channel that is closed once the module that is there now is
// gone, or another one: what was subscribed to it tells nothing any more.
func (a *Agent) Replaced() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.replaced
}

// replace ends the watch of a module that is not there any more.
func (a *Agent) replace() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.replaced)
	a.replaced = make(chan struct{})
}

// take brings the view up to date, and logs what is new in it.
func (a *Agent) take(ctx context.Context, v *view, e kernel.Event) {
	switch {
	case e.Resync:
		a.resync(ctx, v)
	case e.New != nil:
		if v.begin(e.New.GetId()) {
			a.logBegin(e.New)
		}
	case e.End != nil:
		if v.end(e.End.GetId()) {
			a.log.Debug("session ended", "session", sessionID(e.End.GetId()), "reason", e.Reason,
				"age", time.Duration(e.End.GetAgeMs())*time.Millisecond)
		}
	default: // a policy was loaded, by this agent or by another program
		select {
		case a.prompt <- struct{}{}:
		default: // one is due already
		}
	}
}

// resync learns from a dump what events did not tell. Where they are lost all
// the time it keeps to one dump in [watchInterval].
func (a *Agent) resync(ctx context.Context, v *view) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(time.Until(v.synced.Add(watchInterval))):
	}
	defer func() { v.synced = time.Now() }()
	sessions, _, err := a.kernel.Sessions(ctx, nil, 0)
	if err != nil {
		if ctx.Err() == nil {
			a.log.Warn("sessions not learned", "error", err)
		}
		return
	}
	ids := make([][]byte, 0, len(sessions))
	for _, s := range sessions {
		ids = append(ids, s.GetId())
		if !v.has(s.GetId()) {
			a.logBegin(s)
		}
	}
	for _, id := range v.replace(ids) {
		a.log.Debug("session ended", "session", id, "reason", "unseen")
	}
	a.log.Info("sessions learned", "sessions", len(sessions))
}

func (a *Agent) logBegin(s *proto.Session) {
	a.log.Debug("session began", "session", sessionID(s.GetId()),
		"role", s.GetRole(), "rule", s.GetRule(), "tuple", tuple{s.GetSuper()})
}

// tuple is written only if the log takes it.
type tuple struct{ *proto.Tuple }

func (t tuple) String() string {
	return fmt.Sprintf("%s > %s %s", end(t.GetSource(), t.GetSourcePort()),
		end(t.GetDestination(), t.GetDestinationPort()), chain.ProtocolName(uint8(t.GetProtocol())))
}

// end is one end of a session: "10.0.0.1:80", "[fd00::1]:80".
func end(address string, port uint32) string {
	return net.JoinHostPort(address, strconv.FormatUint(uint64(port), 10))
}
