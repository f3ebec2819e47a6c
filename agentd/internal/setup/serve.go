// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"mbchain/agentd/internal/session"
)

// What a REJECT of the agent itself says; docs/PROTOCOL.md explains them. All
// other reasons are the module's.
const (
	reasonBusy     = "busy"           // too many set-ups at once
	reasonNotYours = "not_authorized" // the subsession comes from somebody else
	reasonNotHere  = "not_here"       // it goes to somebody else
	reasonNoNF     = "nf_missing"     // packets would go past this host's NF
	reasonModule   = "module_failed"  // absent, or it failed for no reason of its own
)

var errNoSyn = errors.New("no SYN came")

// Serve answers the neighbour that opened a stream, and is done when the set-up
// is over.
func (s *Service) Serve(ctx context.Context, stream Stream) {
	defer stream.Reset()
	stream.Deadline(time.Now().Add(synTime))
	m, err := stream.Receive()
	syn, isSyn := m.(session.Syn)
	if err == nil && !isSyn {
		err = errNoSyn
	}
	if err != nil {
		s.log.Debug("set-up not understood", "peer", stream.Addresses(), "error", err)
		return
	}
	stream.Deadline(time.Time{})
	if s.asked.Add(1) > maxAsked {
		s.asked.Add(-1)
		s.refuse(stream, syn, reasonBusy)
		return
	}
	defer s.asked.Add(-1)
	if reason := s.judge(stream, syn); reason != "" {
		s.refuse(stream, syn, reason)
		return
	}
	s.join(ctx, stream, syn)
}

// judge says why a neighbour may not ask for that; empty: it may.
func (s *Service) judge(stream Stream, syn session.Syn) string {
	if !slices.Contains(stream.Addresses(), syn.Wire.Source.Addr()) {
		return reasonNotYours
	}
	mine, err := s.config.Addresses()
	if err != nil || !slices.Contains(mine, syn.Wire.Destination.Addr()) {
		return reasonNotHere
	}
	if len(syn.Hops) > 0 && s.config.Closed != nil && s.config.Closed() {
		return reasonNoNF
	}
	return ""
}

func (s *Service) refuse(stream Stream, syn session.Syn, reason string) {
	s.log.Debug("set-up refused", "session", syn.ID, "peer", stream.Addresses(), "reason", reason)
	s.over(false, false, 0)
	var here netip.Addr
	if reason != reasonNotHere {
		here = syn.Wire.Destination.Addr()
	}
	if stream.Send(session.Reject{Reason: reason, Host: s.config.Host, Address: here}) == nil {
		stream.End()
	}
}

// join takes part in a session, once no other set-up of it is under way: an
// older one that the neighbour gave up, or one that this host's module wants. A
// session of which the module wants the right part has a left part already.
func (s *Service) join(ctx context.Context, stream Stream, syn session.Syn) {
	began, known := time.Now(), false
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := newRun(s, syn.ID, stream)
	stop := r.listen(ctx)
	defer stop()
	a := &attempt{over: make(chan struct{})}
	for !s.enter(syn.ID, a) {
		other := s.current(syn.ID)
		if other == nil {
			continue
		}
		known = known || other.own
		select {
		case <-other.over:
		case <-r.leftGone:
			return
		case <-time.After(time.Until(began.Add(syn.Within))):
			return
		case <-ctx.Done():
			return
		}
	}
	defer s.leave(syn.ID, a)
	r.known = known
	m, first := session.Join(s.config.Host, syn, began)
	r.play(ctx, m, first)
}
