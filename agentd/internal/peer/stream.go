// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"mbchain/agentd/internal/session"
)

// sendTime is how long a message may take to leave. Both windows have room for
// more than a whole set-up, so only a neighbour that reads nothing uses it up.
const sendTime = 2 * time.Second

// codeUndone is in the reset of a stream: what was asked is taken back.
const codeUndone quic.StreamErrorCode = 1

// A Stream carries one set-up between this host and a neighbour.
type Stream struct {
	stream    *quic.Stream
	addresses []netip.Addr
	ended     atomic.Bool
}

// Addresses returns those that the neighbour may speak for.
func (s *Stream) Addresses() []netip.Addr { return s.addresses }

// Lost reports whether err, of Send or Receive, means that the connection is gone,
// and the stream with it: on a new one the same may succeed. It is false for what
// the neighbour did to the stream alone.
func (*Stream) Lost(err error) bool { return isLost(err) }

func isLost(err error) bool {
	var (
		idle      *quic.IdleTimeoutError
		reset     *quic.StatelessResetError
		transport *quic.TransportError
		closed    *quic.ApplicationError
	)
	return errors.As(err, &idle) || errors.As(err, &reset) || errors.As(err, &transport) || errors.As(err, &closed)
}

// Send sends a message.
func (s *Stream) Send(m session.Message) error {
	_ = s.stream.SetWriteDeadline(time.Now().Add(sendTime))
	if err := writeMessage(s.stream, m); err != nil {
		return fmt.Errorf("send %T: %w", m, err)
	}
	return nil
}

// Receive waits for a message. [io.EOF] when the neighbour ended the stream;
// any other error means that it is lost.
func (s *Stream) Receive() (session.Message, error) { return readMessage(s.stream) }

// Deadline limits how long Receive waits; the zero time: for ever.
func (s *Stream) Deadline(t time.Time) { _ = s.stream.SetReadDeadline(t) }

// End says that no more is sent. What was sent arrives all the same, unless the
// stream is lost; a neighbour that has ended may not listen any more.
func (s *Stream) End() {
	s.ended.Store(true)
	_ = s.stream.Close()
}

// Reset gives the stream up, but for what was sent before End. The neighbour
// learns of it unless both sides have ended the stream.
func (s *Stream) Reset() {
	s.stream.CancelRead(codeUndone)
	if !s.ended.Load() {
		s.stream.CancelWrite(codeUndone)
	}
}
