// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"mbchain/agentd/internal/kernel"
)

// dialControl opens a connection that is not chained itself, whatever the policy
// says. Without the right to do so it is one like any other.
func dialControl(ctx context.Context, network, address string) (net.Conn, error) {
	return controlDialer().DialContext(ctx, network, address)
}

// controlDialer asks for the address of a name in the same way: were the question
// chained, it would wait for an agent that has not found policyd.
func controlDialer() *net.Dialer {
	marked := &net.Dialer{Control: markControl}
	return &net.Dialer{Control: markControl, Resolver: &net.Resolver{PreferGo: true, Dial: marked.DialContext}}
}

func markControl(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PRIORITY, kernel.ControlPriority)
	})
}
