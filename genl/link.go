// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// dumpTries is how often a dump is begun before its interruptions are an
// error. The table changes shape when it doubles: twice in a row is rare.
const dumpTries = 5

// answerTimeout is how long a request may take. A kernel in order has answered
// before the request is sent, and only a dump of millions takes seconds; this is
// for a kernel that is not.
const answerTimeout = time.Minute

var errNoAnswer = fmt.Errorf("the kernel did not answer in %v", answerTimeout)

// A Dialer opens a connection to generic netlink. Whoever calls it closes the
// connection.
type Dialer func() (*genetlink.Conn, error)

// Dial is the [Dialer] for the network namespace of the calling thread. It asks
// for strict checks and for explanations of refusals.
func Dial() (*genetlink.Conn, error) {
	return genetlink.Dial(&netlink.Config{Strict: true})
}

// link is one connection, and what the family is called on it.
type link struct {
	conn   *genetlink.Conn
	family genetlink.Family
}

func openLink(dial Dialer) (*link, error) {
	conn, err := dial()
	if err != nil {
		return nil, refused("dial netlink", err)
	}
	l := &link{conn: conn}
	if err := l.resolve(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return l, nil
}

// resolve looks the family up by name, in the list of all of them: when the
// kernel is asked for a name that it does not know it starts modprobe, each
// time anew.
func (l *link) resolve() error {
	families, err := l.conn.ListFamilies()
	if err != nil {
		return refused("find module", err)
	}
	i := slices.IndexFunc(families, func(f genetlink.Family) bool { return f.Name == uapi.GenlName })
	if i < 0 {
		return fmt.Errorf("find module: %w", ErrNotSupported)
	}
	family := families[i]
	if family.Version != uapi.GenlVersion {
		return fmt.Errorf("find module: version %d of its interface instead of %d: %w",
			family.Version, uapi.GenlVersion, ErrNotSupported)
	}
	l.family = family
	return nil
}

// moved looks the family up again after err and reports whether it has another
// number now. The number is netlink's, so a module that was unloaded and loaded
// again has a new one, and netlink itself says ENOENT to the old one: unlike
// the module, without an explanation.
func (l *link) moved(err error) (bool, error) {
	var oe *netlink.OpError
	if !errors.Is(err, syscall.ENOENT) || !errors.As(err, &oe) || oe.Message != "" {
		return false, nil
	}
	old := l.family.ID
	if err := l.resolve(); err != nil {
		return false, err
	}
	return l.family.ID != old, nil
}

// interruptible runs receive, which ends when ctx does: with ctx's error, and
// with whatever was to be received still to come.
func (l *link) interruptible(ctx context.Context, receive func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_ = l.conn.SetReadDeadline(time.Unix(1, 0))
	})
	err := receive()
	if !stop() {
		<-woken
		_ = l.conn.SetReadDeadline(time.Time{})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return ctx.Err()
		}
	}
	return err
}

func (l *link) message(cmd uint8, attrs []byte) genetlink.Message {
	return genetlink.Message{
		Header: genetlink.Header{Command: cmd, Version: uapi.GenlVersion},
		Data:   attrs,
	}
}

// order sends a command that is answered by success or failure alone.
func (l *link) order(cmd uint8, attrs []byte) error {
	_, err := l.conn.Execute(l.message(cmd, attrs), l.family.ID, netlink.Request|netlink.Acknowledge)
	return err
}

// ask sends a command that is answered by one message.
func (l *link) ask(cmd uint8, attrs []byte) ([]byte, error) {
	answers, err := l.conn.Execute(l.message(cmd, attrs), l.family.ID, netlink.Request)
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 {
		return nil, fmt.Errorf("%d messages: %w", len(answers), ErrMalformed)
	}
	return answers[0].Data, nil
}

// dump sends a command that is answered by any number of messages.
func (l *link) dump(cmd uint8) ([][]byte, error) {
	for range dumpTries {
		request, err := l.conn.Send(l.message(cmd, nil), l.family.ID, netlink.Request|netlink.Dump)
		if err != nil {
			return nil, err
		}
		answers, headers, err := l.conn.Receive()
		if err != nil {
			return nil, err
		}
		if err := netlink.Validate(request, headers); err != nil {
			return nil, err
		}
		if !interrupted(headers) {
			bodies := make([][]byte, len(answers))
			for i, a := range answers {
				bodies[i] = a.Data
			}
			return bodies, nil
		}
	}
	return nil, fmt.Errorf("%d times: %w", dumpTries, ErrInterrupted)
}

// interrupted looks at every message but the final one, which package netlink
// keeps to itself. That is enough: when the table changes shape the module
// begins again with its first session, so a message that says so follows.
func interrupted(headers []netlink.Message) bool {
	for _, m := range headers {
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return true
		}
	}
	return false
}
