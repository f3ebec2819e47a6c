// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net"
	"time"
)

// plainTCP is a Network that keeps nobody out.
type plainTCP struct{}

func (plainTCP) Listen(address string) (net.Listener, error) { return net.Listen("tcp", address) }

func (plainTCP) Dial(address string, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", address, timeout)
}
