// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"mbchain/identity"
	"mbchain/proto/protoconnect"
)

const (
	// dialTimeout bounds the wait for a node that does not answer at all, and
	// for its handshake.
	dialTimeout = 2 * time.Second
	// askNodeFor is how long a node has to say how it is doing.
	askNodeFor = 2 * time.Second
)

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// others is the way to other nodes, on which requests are passed on and nodes
// are asked how they are doing. A connection is made with the certificate of
// then: another certificate gets other connections, so that none is refused
// because it has lasted for longer than what it was made with.
type others struct {
	self Self // nil: without TLS, in tests alone
	dial dialer

	mu        sync.Mutex
	bundle    *identity.Bundle // that the transport was made with
	transport *http.Transport
}

// newOthers returns the way to other nodes. A nil dial is the system's.
func newOthers(self Self, dial dialer) *others {
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return &others{self: self, dial: dial}
}

// scheme is that of the URLs of other nodes.
func (o *others) scheme() string {
	if o.self == nil {
		return "http"
	}
	return "https"
}

// RoundTrip implements [http.RoundTripper].
func (o *others) RoundTrip(r *http.Request) (*http.Response, error) {
	t, err := o.current()
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	return t.RoundTrip(r)
}

// current returns the transport for this node's certificate of now.
func (o *others) current() (*http.Transport, error) {
	var bundle *identity.Bundle
	if o.self != nil {
		var err error
		if bundle, err = o.self.Bundle(); err != nil {
			return nil, err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.transport != nil && bundle == o.bundle {
		return o.transport, nil
	}
	if o.transport != nil {
		o.transport.CloseIdleConnections()
	}
	o.bundle, o.transport = bundle, o.newTransport(bundle)
	return o.transport, nil
}

func (o *others) newTransport(bundle *identity.Bundle) *http.Transport {
	t := &http.Transport{
		DialContext:         o.dial,
		Protocols:           new(http.Protocols),
		IdleConnTimeout:     idleTimeout,
		TLSHandshakeTimeout: dialTimeout,
		// A leader that vanished takes the streams of agents with it.
		HTTP2: &http.HTTP2Config{SendPingTimeout: askNodeFor, PingTimeout: askNodeFor, WriteByteTimeout: lostTimeout},
	}
	if bundle == nil {
		t.Protocols.SetUnencryptedHTTP2(true)
		return t
	}
	t.Protocols.SetHTTP2(true)
	t.TLSClientConfig = identity.ClientTLS(identity.Fixed(bundle), time.Now, []string{"h2"}, identity.Policyd)
	return t
}

// close ends the connections that nobody uses.
func (o *others) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.transport != nil {
		o.transport.CloseIdleConnections()
	}
}

// node returns the ClusterService of another node.
func (s *Server) node(address string) protoconnect.ClusterServiceClient {
	return protoconnect.NewClusterServiceClient(&http.Client{Transport: s.others}, s.others.scheme()+"://"+address)
}
