// SPDX-License-Identifier: Apache-2.0

package sockdiag

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// execTimeout bounds what the kernel answers at once.
const execTimeout = 5 * time.Second

// conn is a netlink connection.
type conn interface {
	Execute(netlink.Message) ([]netlink.Message, error)
}

// Destroy ends the TCP connection of which this host has the tuple's source:
// [ErrNotFound] if there is none.
func Destroy(ctx context.Context, t chain.FiveTuple) error {
	c, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return fmt.Errorf("open sock_diag: %w", err)
	}
	defer func() { _ = c.Close() }()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(execTimeout)
	}
	if err := c.SetDeadline(deadline); err != nil {
		return fmt.Errorf("open sock_diag: %w", err)
	}
	return destroyBy(c, t)
}

// destroyBy looks for the socket first: where there is no connection of this tuple
// the kernel would find who listens on its port, and end that.
func destroyBy(c conn, t chain.FiveTuple) error {
	t.Source, t.Destination = plain(t.Source), plain(t.Destination)
	id := idOf(t)
	answers, err := c.Execute(request(t, byFamily, id))
	switch {
	case errors.Is(err, unix.ENOENT):
		return ErrNotFound
	case err != nil:
		return fmt.Errorf("find socket: %w", err)
	case len(answers) == 0:
		return ErrNotFound
	}
	s, err := parse(answers[0].Data)
	if err != nil {
		return err
	}
	if !s.connected() || !sameEnds(s.id, id) {
		return ErrNotFound
	}
	_, err = c.Execute(request(t, destroy, s.id))
	switch {
	case errors.Is(err, unix.ENOENT): // it ended meanwhile
		return ErrNotFound
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("end connection: the kernel has no CONFIG_INET_DIAG_DESTROY: %w", err)
	case err != nil:
		return fmt.Errorf("end connection: %w", err)
	}
	return nil
}
