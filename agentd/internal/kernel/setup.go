// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"
	"fmt"

	"mbchain/agentd/internal/session"
	"mbchain/chain"
	"mbchain/genl"
)

// ControlPriority is the SO_PRIORITY of sockets whose traffic is never chained.
const ControlPriority = genl.ControlPriority

// A SetupEvent is about sessions that wait for this host's agent: exactly one
// of its fields is set.
type SetupEvent struct {
	// Resync: what was wanted before this event is unknown, and
	// [Kernel.Waiting] tells. The first event is one of these.
	Resync bool
	Wanted *session.Part
}

// WatchSetup undertakes to set sessions up out-of-band, and hands over what is
// wanted, one after the other, until ctx is done or something fails. A module
// that is loaded later needs another WatchSetup.
func (k *Kernel) WatchSetup(ctx context.Context, handle func(SetupEvent)) error {
	client, err := k.dialledForSetups()
	if err != nil {
		return err
	}
	events, err := client.SubscribeSetup()
	if err != nil {
		return classified(err)
	}
	defer func() { _ = events.Close() }()
	return follow(ctx, events, func() { handle(SetupEvent{Resync: true}) }, func(e genl.Event) {
		if wanted, ok := e.(genl.SetupWanted); ok {
			p := part(&wanted.Session)
			handle(SetupEvent{Wanted: &p})
		}
	})
}

// Waiting returns the sessions that wait for the agent.
func (k *Kernel) Waiting(ctx context.Context) ([]session.Part, error) {
	client, err := k.dialledForSetups()
	if err != nil {
		return nil, err
	}
	all, err := client.Sessions(ctx)
	if err != nil {
		return nil, classified(err)
	}
	var waiting []session.Part
	for i := range all {
		if all[i].Setup == chain.SetupWaiting {
			waiting = append(waiting, part(&all[i]))
		}
	}
	return waiting, nil
}

// Waits reports whether a session is there and waits.
func (k *Kernel) Waits(ctx context.Context, id chain.SessionID) (bool, error) {
	client, err := k.dialledForSetups()
	if err != nil {
		return false, err
	}
	s, err := client.Session(ctx, id)
	if errors.Is(err, genl.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, classified(err)
	}
	return s.Setup == chain.SetupWaiting, nil
}

// A NotInstalledError is the module's refusal to take part in a session.
type NotInstalledError struct {
	Reason string // name of the counter that went up
	Err    error
}

func (e *NotInstalledError) Error() string { return e.Err.Error() }

func (e *NotInstalledError) Unwrap() error { return e.Err }

// notInstalled makes err a *NotInstalledError if the module said why.
func notInstalled(err error) error {
	var refused *genl.RefusedError
	if !errors.As(err, &refused) {
		return classified(err)
	}
	for r := genl.ReasonNone + 1; r <= genl.ReasonMax; r++ {
		if r.String() == refused.Message {
			return &NotInstalledError{Reason: refused.Message, Err: classified(err)}
		}
	}
	return classified(err)
}

// Install makes the module take part in a session. A *[NotInstalledError] says
// why it does not.
func (k *Kernel) Install(ctx context.Context, syn session.Syn) (session.Part, error) {
	client, err := k.dialledForSetups()
	if err != nil {
		return session.Part{}, err
	}
	s, err := client.NewSession(ctx, genl.SessionRequest{ID: syn.ID, Super: syn.Super, Left: syn.Wire, Hops: syn.Hops})
	if err != nil {
		return session.Part{}, notInstalled(err)
	}
	if (s.Right == nil) != (len(s.Hops) == 0) {
		return session.Part{}, fmt.Errorf("new session: %d hops, but right subsession: %t", len(s.Hops), s.Right != nil)
	}
	return part(s), nil
}

// Release lets the packets of a session go on; known: the right neighbour knew
// it, set up in-band. A session that does not wait because it is set up is as
// good: an answer to its SYN came after all, or this was done before.
func (k *Kernel) Release(ctx context.Context, id chain.SessionID, known bool) error {
	client, err := k.dialledForSetups()
	if err != nil {
		return err
	}
	how := chain.SetupDone
	if known {
		how = chain.SetupInBand
	}
	err = client.FinishSetup(ctx, id, how, genl.ReasonNone)
	if !errors.Is(err, genl.ErrAlready) {
		return classified(err)
	}
	s, lost := client.Session(ctx, id)
	if lost == nil && (s.Setup == chain.SetupDone || s.Setup == chain.SetupInBand) {
		return nil
	}
	return classified(err)
}

// Fail ends the wait of a session badly. One that does not wait is left alone.
func (k *Kernel) Fail(ctx context.Context, id chain.SessionID, why session.Why) error {
	client, err := k.dialledForSetups()
	if err != nil {
		return err
	}
	reason := genl.ReasonNoAnswer
	if why == session.Refused {
		reason = genl.ReasonPeerRefused
	}
	err = client.FinishSetup(ctx, id, chain.SetupFailed, reason)
	if errors.Is(err, genl.ErrAlready) || errors.Is(err, genl.ErrNotFound) {
		return nil
	}
	return classified(err)
}

// Delete makes the module forget a session, if it has it. Unless always is set,
// one through which an answer has passed is left alone.
func (k *Kernel) Delete(ctx context.Context, id chain.SessionID, always bool) error {
	client, err := k.dialledForSetups()
	if err != nil {
		return err
	}
	if !always {
		s, err := client.Session(ctx, id)
		if err == nil && s.State != chain.StateNone && s.State != chain.StateSYN {
			return nil
		}
	}
	err = client.DeleteSession(ctx, id)
	if errors.Is(err, genl.ErrNotFound) {
		return nil
	}
	return classified(err)
}

func part(s *genl.Session) session.Part {
	p := session.Part{ID: s.ID, Super: s.Super, Hops: s.Hops, Known: s.Known}
	if s.Right != nil {
		p.Right = s.Right.Tuple
	}
	return p
}
