// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/session"
	"mbchain/chain"
)

var errEnded = errors.New("ended too early")

// run plays one machine: it gives it what happens and does what it wants. But
// for the readers of its streams one goroutine has it all.
type run struct {
	*Service
	id    chain.SessionID
	left  Stream // nil: the module wants it
	known bool   // the session has a left part already

	agreed time.Time // when all hosts of the chain had agreed; zero: not yet

	events   chan session.Event
	leftGone chan struct{} // closed when left is lost
	deaf     chan struct{} // closed when nobody takes events any more
	closing  sync.Once
	readers  sync.WaitGroup
	forget   context.CancelFunc // ends the asking of the right neighbour

	mu      sync.Mutex
	right   Stream // nil: none yet
	dropped bool   // no right stream is wanted any more
}

func newRun(s *Service, id chain.SessionID, left Stream) *run {
	return &run{
		Service: s, id: id, left: left,
		events: make(chan session.Event), leftGone: make(chan struct{}), deaf: make(chan struct{}),
		forget: func() {},
	}
}

// play ends when the machine does. When ctx is done the set-up is given up.
func (r *run) play(ctx context.Context, m *session.Machine, first []session.Action) {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	r.step(ctx, m, r.do(ctx, first))
	for m.State() != session.Over {
		late := time.NewTimer(time.Until(m.Deadline()))
		var e session.Event
		select {
		case e = <-r.events:
		case <-late.C:
			e = session.Tick{}
		case <-ctx.Done():
			e = r.giveUp(ctx)
		}
		late.Stop()
		r.step(ctx, m, e)
	}
	cancel()
	r.close()
	r.log.Debug("set-up over", "session", r.id, "took", time.Since(began))
	agreed := !r.agreed.IsZero()
	if !agreed {
		r.agreed = time.Now()
	}
	r.over(r.left == nil, agreed, r.agreed.Sub(began))
}

// giveUp is the event that ends any machine.
func (r *run) giveUp(ctx context.Context) session.Event {
	if r.left != nil {
		return session.LeftLost{Err: ctx.Err()}
	}
	return session.RightLost{Err: ctx.Err()}
}

// step gives the machine an event, does what it wants, and gives it what comes
// of that.
func (r *run) step(ctx context.Context, m *session.Machine, e session.Event) {
	for e != nil {
		before := m.State()
		actions, err := m.Step(e, time.Now())
		if err != nil {
			r.log.Debug("set-up machine", "session", r.id, "error", err)
			e = lostBy(e, err)
			continue
		}
		r.log.Debug("set-up machine", "session", r.id, "event", e, "state", m.State())
		_, acked := e.(session.Acked)
		if r.agreed.IsZero() && (m.State() == session.Confirming || acked && before == session.Answered) {
			r.agreed = time.Now()
		}
		if before == session.Asking {
			r.complain(e)
		}
		e = r.do(ctx, actions)
	}
}

// lostBy is what follows when a neighbour does not keep to the protocol: it is
// as good as lost.
func lostBy(e session.Event, err error) session.Event {
	switch e.(type) {
	case session.Acked:
		return session.LeftLost{Err: err}
	case session.Accepted, session.Rejected, session.RightEnded:
		return session.RightLost{Err: err}
	}
	return nil
}

// do performs actions and returns the event that answers the last of them, nil
// if none does.
func (r *run) do(ctx context.Context, actions []session.Action) (answer session.Event) {
	for _, a := range actions {
		switch a := a.(type) {
		case session.Install:
			answer = r.install(ctx, a.Syn)
		case session.Release:
			answer = r.release(ctx, a.Known)
		case session.Fail:
			r.order(ctx, func(ctx context.Context) error { return r.module.Fail(ctx, r.id, a.Why) })
		case session.Delete:
			r.order(ctx, func(ctx context.Context) error { return r.module.Delete(ctx, r.id, a.Always) })
		case session.Ask:
			r.ask(ctx, a)
		case session.Confirm:
			if err := r.right.Send(session.Ack{}); err != nil {
				answer = session.RightLost{Err: err}
			}
		case session.DropRight:
			r.drop()
		case session.Answer:
			if err := r.left.Send(session.SynAck(a)); err != nil {
				answer = session.LeftLost{Err: err}
			}
		case session.Refuse:
			if r.left.Send(a.Reject) == nil {
				r.left.End()
			}
		case session.EndLeft:
			r.left.End()
		case session.DropLeft:
			r.left.Reset()
		}
	}
	return answer
}

// order gives the module time to do something even when the agent is to stop.
func (r *run) order(ctx context.Context, call func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moduleTime)
	defer cancel()
	if err := call(ctx); err != nil {
		r.log.Warn("module not told", "session", r.id, "error", err)
	}
}

func (r *run) install(ctx context.Context, syn session.Syn) session.Event {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moduleTime)
	defer cancel()
	part, err := r.module.Install(ctx, syn)
	if err == nil {
		part.Known = part.Known || r.known
		return session.Installed{Part: part}
	}
	reason := reasonModule
	var refused *kernel.NotInstalledError
	if errors.As(err, &refused) {
		reason = refused.Reason
	} else {
		r.log.Warn("session not installed", "session", r.id, "error", err)
		// Nobody knows whether it did.
		r.order(ctx, func(ctx context.Context) error { return r.module.Delete(ctx, r.id, !r.known) })
	}
	r.log.Debug("set-up refused", "session", r.id, "peer", r.left.Addresses(), "reason", reason)
	return session.NotInstalled{Reason: reason}
}

func (r *run) release(ctx context.Context, known bool) session.Event {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moduleTime)
	defer cancel()
	if err := r.module.Release(ctx, r.id, known); err != nil {
		return session.NotReleased{Err: err}
	}
	return session.Released{}
}

// post hands an event to play, unless that is over.
func (r *run) post(ctx context.Context, e session.Event) {
	select {
	case r.events <- e:
	case <-r.deaf:
	case <-ctx.Done():
	}
}

// listen reads what the left neighbour says. The function that it returns ends
// that.
func (r *run) listen(ctx context.Context) func() {
	r.readers.Go(func() {
		acked := false
		for {
			m, err := r.left.Receive()
			if err == nil && m == (session.Ack{}) {
				acked = true
				r.post(ctx, session.Acked{})
				continue
			}
			if acked && errors.Is(err, io.EOF) {
				return
			}
			close(r.leftGone)
			r.post(ctx, session.LeftLost{Err: because(m, err)})
			return
		}
	})
	return r.close
}

// because says why a stream is as good as lost.
func because(m session.Message, err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("unexpected %T", m)
	case errors.Is(err, io.EOF):
		return errEnded
	}
	return err
}

// close gives the streams up, but for what was sent in order, and waits for
// their readers.
func (r *run) close() {
	r.closing.Do(func() { close(r.deaf) })
	r.mu.Lock()
	right := r.right
	r.mu.Unlock()
	if right != nil {
		right.End()
	}
	r.drop()
	if r.left != nil {
		r.left.Reset()
	}
	r.readers.Wait()
}

// drop gives the right stream up, or does not open it.
func (r *run) drop() {
	r.forget()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped = true
	if r.right != nil {
		r.right.Reset()
	}
}
