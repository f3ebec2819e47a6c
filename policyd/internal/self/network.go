// SPDX-License-Identifier: Apache-2.0

package self

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"mbchain/identity"
)

// handshakeTime is how long whoever connects may take to say who he is.
const handshakeTime = 5 * time.Second

// protocol is what voters speak to each other.
const protocol = "mbchain-raft/1"

// Network is how voters reach each other: by TLS, with certificates of role policyd
// at both ends. It is what package cluster wants of one.
type Network struct {
	Identity identity.Source
	// Refused is called with who was not let in, and why; nil: nobody wants to know.
	Refused func(from net.Addr, err error)
}

// Listen opens a port for other voters.
func (n Network) Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return voters{l, n}, nil
}

// Dial connects to another voter.
func (n Network) Dial(address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	d := tls.Dialer{Config: identity.ClientTLS(n.Identity, time.Now, []string{protocol}, identity.Policyd)}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("reach voter at %s: %w", address, err)
	}
	return c, nil
}

// voters is a port that lets in nobody else.
type voters struct {
	net.Listener
	network Network
}

// Accept does not wait for the handshake: the next one may be quicker.
func (v voters) Accept() (net.Conn, error) {
	c, err := v.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &voter{Conn: tls.Server(c, identity.PeerTLS(v.network.Identity, time.Now, []string{protocol}, identity.Policyd)), network: v.network}, nil
}

// voter is a connection whose other end has yet to say who it is. Nothing is read
// or written before.
type voter struct {
	*tls.Conn
	network Network
	once    sync.Once
	err     error
}

func (v *voter) handshake() error {
	v.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
		defer cancel()
		if v.err = v.HandshakeContext(ctx); v.err == nil {
			return
		}
		if v.network.Refused != nil {
			v.network.Refused(v.RemoteAddr(), v.err)
		}
		_ = v.Close()
	})
	return v.err
}

// Read implements [net.Conn].
func (v *voter) Read(b []byte) (int, error) {
	if err := v.handshake(); err != nil {
		return 0, err
	}
	return v.Conn.Read(b)
}

// Write implements [net.Conn].
func (v *voter) Write(b []byte) (int, error) {
	if err := v.handshake(); err != nil {
		return 0, err
	}
	return v.Conn.Write(b)
}
