// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"syscall"
	"testing"
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
