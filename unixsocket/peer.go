// SPDX-License-Identifier: Apache-2.0

package unixsocket

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// Peer returns who opened the other end of c, as the kernel names it.
func Peer(c *net.UnixConn) (*unix.Ucred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var who *unix.Ucred
	lost := raw.Control(func(fd uintptr) {
		who, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return who, errors.Join(lost, err)
}
