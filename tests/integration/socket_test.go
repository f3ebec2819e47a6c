// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// onSocket does something to the descriptor of a connection or listener.
func onSocket(t *testing.T, c syscall.Conn, do func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Fatal(failed)
	}
}

// awaitAcknowledged waits until the other end has all that was sent on a connection, and
// has said so.
func awaitAcknowledged(t *testing.T, c net.Conn) {
	t.Helper()
	eventually(t, soon, func() error {
		var left int
		onSocket(t, c.(*net.TCPConn), func(fd int) (err error) {
			left, err = unix.IoctlGetInt(fd, unix.SIOCOUTQ)
			return err
		})
		if left > 0 {
			return fmt.Errorf("%v has not acknowledged %d bytes", c.RemoteAddr(), left)
		}
		return nil
	})
}
