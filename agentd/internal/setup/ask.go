// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"
	"errors"
	"io"
	"time"

	"mbchain/agentd/internal/session"
)

// ask opens a stream to the right neighbour and reads its answers. A connection
// that was lost unnoticed, with a neighbour that was started anew, is found out
// by using it: so there is a second attempt.
func (r *run) ask(ctx context.Context, a session.Ask) {
	until := time.Now().Add(a.Syn.Within)
	asking, cancel := context.WithCancel(ctx)
	r.forget = cancel
	r.readers.Go(func() {
		answered, err := r.question(asking, a, until)
		var lost lostError
		if errors.As(err, &lost) && !answered && asking.Err() == nil {
			_, err = r.question(asking, a, until)
		}
		if err != nil {
			r.post(ctx, session.RightLost{Err: err})
		}
	})
}

// lostError is one of a connection, not of the stream alone.
type lostError struct{ error }

// question asks once and hands over the answers, until there are no more. It
// reports whether there was any; the error is nil after the stream's end in
// order.
func (r *run) question(ctx context.Context, a session.Ask, until time.Time) (answered bool, err error) {
	stream, err := r.config.Open(ctx, a.Host)
	if err != nil {
		return false, err
	}
	if !r.setRight(stream) {
		return false, context.Canceled
	}
	a.Syn.Within = max(time.Until(until), time.Millisecond)
	if err := stream.Send(a.Syn); err != nil {
		return false, lostIf(stream, err)
	}
	for {
		m, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			r.post(ctx, session.RightEnded{})
			return answered, nil
		}
		if err != nil {
			return answered, lostIf(stream, err)
		}
		answered = true
		switch m := m.(type) {
		case session.SynAck:
			r.post(ctx, session.Accepted(m))
		case session.Reject:
			r.post(ctx, session.Rejected{Reject: m})
			return answered, nil
		default:
			return answered, because(m, nil)
		}
	}
}

func lostIf(stream Stream, err error) error {
	if stream.Lost(err) {
		return lostError{err}
	}
	return err
}

// setRight makes a stream the one to the right neighbour, unless none is wanted
// any more.
func (r *run) setRight(stream Stream) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dropped {
		stream.Reset()
		return false
	}
	r.right = stream
	return true
}
