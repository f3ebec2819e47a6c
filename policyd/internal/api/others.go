// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net"
	"net/http"
	"time"

	"mbchain/proto/protoconnect"
)

const (
	// dialTimeout bounds the wait for a node that does not answer at all.
	dialTimeout = 2 * time.Second
	// askNodeFor is how long a node has to say how it is doing.
	askNodeFor = 2 * time.Second
)

// newOthers returns the way to other nodes, on which requests are passed on and
// nodes are asked how they are doing. A nil dial is the system's.
func newOthers(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	t := &http.Transport{
		DialContext:     dial,
		Protocols:       new(http.Protocols),
		IdleConnTimeout: idleTimeout,
		// A leader that vanished takes the streams of agents with it.
		HTTP2: &http.HTTP2Config{SendPingTimeout: askNodeFor, PingTimeout: askNodeFor, WriteByteTimeout: lostTimeout},
	}
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// node returns the ClusterService of another node.
func (s *Server) node(address string) protoconnect.ClusterServiceClient {
	return protoconnect.NewClusterServiceClient(&http.Client{Transport: s.others}, "http://"+address)
}
