// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	transportTimeout  = 10 * time.Second
	transportPoolSize = 3 // connections kept open to each voter
	// oneAtATime has a leader wait for each answer before it sends more to a
	// voter. Raft may send ahead, but once a voter has refused that, because its
	// disk is full perhaps, it can wait for itself and never send it anything but
	// heartbeats again (hashicorp/raft issue 612).
	oneAtATime = 1
)

// Network is how the Raft ports of nodes reach each other. Whoever gets as far
// as Raft can change everything: a Network that crosses other people's wires
// has to know who is at the other end.
type Network interface {
	Listen(address string) (net.Listener, error)
	Dial(address string, timeout time.Duration) (net.Conn, error)
}

// streams is a [raft.StreamLayer] on a Network.
type streams struct {
	net.Listener
	network Network
}

// Dial implements [raft.StreamLayer].
func (s streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return s.network.Dial(string(address), timeout)
}

// listen opens the way to other voters.
func (n *Node) listen(logger hclog.Logger) error {
	address := n.config.Listen
	if address == "" {
		_, n.transport = raft.NewInmemTransport("")
		return nil
	}
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for voters on %s: %w", address, err)
	}
	if tcp.IP == nil || tcp.IP.IsUnspecified() {
		return fmt.Errorf("listen for voters on %s: other voters need an address that reaches this one", address)
	}
	if n.config.Network == nil {
		return fmt.Errorf("listen for voters on %s: no network is given", address)
	}
	l, err := n.config.Network.Listen(address)
	if err != nil {
		return fmt.Errorf("listen for voters on %s: %w", address, err)
	}
	n.transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: streams{l, n.config.Network}, MaxPool: transportPoolSize, Timeout: transportTimeout, Logger: logger,
		MaxRPCsInFlight: oneAtATime,
	})
	return nil
}
