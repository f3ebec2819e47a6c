// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"syscall"

	"mbchain/chain"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/genetlink"
)

// eventBuffer is how many bytes of events may wait to be read: some thousands
// of sessions that begin at once.
const eventBuffer = 4 << 20

// An Event is one of [SessionNew], [SessionEnd], [SetupWanted], [MigrationEvent]
// and [PolicyLoaded].
type Event interface{ event() }

// SessionNew tells that a session is installed.
type SessionNew struct{ Session Session }

// SessionEnd tells that a session is gone.
type SessionEnd struct {
	Session Session // with its final counters
	Reason  Reason  // one of ReasonEnd*
}

// SetupWanted tells that a session waits until [Client.FinishSetup] says that
// what is right of this host is set up, or cannot be.
type SetupWanted struct{ Session Session }

// PolicyLoaded tells that a policy runs from now on.
type PolicyLoaded struct{ Version uint64 }

// MigrationEvent tells what has come true of a migration at this host by now, each
// time that one more thing has. It stays so for as long as there is the record.
type MigrationEvent struct {
	Session   chain.SessionID
	Migration uint64
	// A marker has come: all that was sent before it over the old path has gone on
	// from an OldHost, or come to an anchor, or was lost.
	Passed      Ways
	AckReached  bool // all that was sent before a Checkpoint is acknowledged
	Overflow    bool // what waited was let go by the old path: too much, or for too long
	NewPathUsed bool // NewHost, RightAnchor: a packet has come from the left by the new path
}

// Ways is a set of the two ways that packets travel.
type Ways uint8

// The ways.
const (
	Rightward Ways = 1 << iota // client to server
	Leftward
	BothWays = Rightward | Leftward
)

func (SessionNew) event()   {}
func (SessionEnd) event()   {}
func (SetupWanted) event()  {}
func (PolicyLoaded) event() {}

func (MigrationEvent) event() {}

// Events receives what happens in the module of one network namespace.
//
// When the module is unloaded events merely stop, and those of a module loaded
// later need a new Events: [Client.Info] tells.
type Events struct {
	link   *link
	closed atomic.Bool
}

// Subscribe begins to collect all events but [SetupWanted], on a connection of
// their own. Subscribe first and list sessions then, and no session is
// overlooked.
func (c *Client) Subscribe() (*Events, error) {
	return c.subscribe("subscribe", uapi.GroupEvents)
}

// SubscribeSetup begins to collect the event [SetupWanted], on a connection of
// its own. Who does so undertakes to answer each by [Client.FinishSetup]: while
// nobody has, sessions that have to be set up out-of-band fail at once.
func (c *Client) SubscribeSetup() (*Events, error) {
	return c.subscribe("subscribe to set-up", uapi.GroupSetup)
}

func (c *Client) subscribe(op, group string) (*Events, error) {
	l, err := openLink(c.dial)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if err := l.join(group); err != nil {
		_ = l.conn.Close()
		return nil, refused(op, err)
	}
	return &Events{link: l}, nil
}

func (l *link) join(group string) error {
	// A smaller buffer than asked for loses events sooner and says so.
	_ = l.conn.SetReadBuffer(eventBuffer)
	i := slices.IndexFunc(l.family.Groups, func(g genetlink.MulticastGroup) bool {
		return g.Name == group
	})
	if i < 0 {
		return fmt.Errorf("no group %q: %w", group, ErrNotSupported)
	}
	return l.conn.JoinGroup(l.family.Groups[i].ID)
}

// Receive waits for events and returns them, at least one. [ErrEventsLost]
// when some were lost; ctx's error when ctx is done. After both Receive may be
// called again. [os.ErrClosed] after Close.
func (e *Events) Receive(ctx context.Context) ([]Event, error) {
	for {
		messages, err := e.receive(ctx)
		if errors.Is(err, syscall.ENOBUFS) {
			return nil, fmt.Errorf("receive events: %w", ErrEventsLost)
		}
		if err != nil && e.closed.Load() {
			err = os.ErrClosed
		}
		if err != nil {
			return nil, fmt.Errorf("receive events: %w", err)
		}
		var events []Event
		for _, m := range messages {
			event, err := decodeEvent(m)
			if err != nil {
				return nil, fmt.Errorf("receive events: %w", err)
			}
			if event != nil {
				events = append(events, event)
			}
		}
		if len(events) > 0 {
			return events, nil
		}
	}
}

func (e *Events) receive(ctx context.Context) (messages []genetlink.Message, err error) {
	err = e.link.interruptible(ctx, func() (err error) {
		messages, _, err = e.link.conn.Receive()
		return err
	})
	return messages, err
}

// Close ends a Receive that waits and gives the connection back.
func (e *Events) Close() error {
	e.closed.Store(true)
	if err := e.link.conn.Close(); err != nil {
		return fmt.Errorf("close events: %w", err)
	}
	return nil
}

// decodeEvent returns nil for an event that this package does not know.
func decodeEvent(m genetlink.Message) (Event, error) {
	switch m.Header.Command {
	case uapi.CmdEventSessionNew:
		s, _, err := decodeSession(m.Data)
		if err != nil {
			return nil, err
		}
		return SessionNew{Session: *s}, nil
	case uapi.CmdEventSessionEnd:
		s, end, err := decodeSession(m.Data)
		if err != nil {
			return nil, err
		}
		return SessionEnd{Session: *s, Reason: end}, nil
	case uapi.CmdEventSetup:
		s, _, err := decodeSession(m.Data)
		if err != nil {
			return nil, err
		}
		return SetupWanted{Session: *s}, nil
	case uapi.CmdEventMigration:
		return decodeMigrationEvent(m.Data)
	case uapi.CmdEventPolicy:
		version, err := decodePolicyVersion(m.Data)
		if err != nil {
			return nil, err
		}
		return PolicyLoaded{Version: version}, nil
	}
	return nil, nil
}
