// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"time"

	"mbchain/identity"
)

// alpn is the protocol that is spoken here.
const alpn = "mbchain/1"

// client is for a connection to a host.
func (n *Node) client(host netip.Addr) (*tls.Config, error) {
	b, err := n.config.Identity.Bundle()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{alpn},
		Certificates: []tls.Certificate{b.Certificate()}, RootCAs: b.Pool(),
		ServerName:       host.String(), // the name to be found in the certificate
		VerifyConnection: func(state tls.ConnectionState) error { return n.judge(b, state) },
	}, nil
}

// server is for connections of hosts. Package tls would refuse some by itself; here
// each refusal has a reason, which is counted and logged.
func (n *Node) server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{alpn},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			b, err := n.config.Identity.Bundle()
			if err != nil {
				return nil, err
			}
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: []string{alpn},
				Certificates: []tls.Certificate{b.Certificate()},
				ClientAuth:   tls.RequestClientCert,
				VerifyConnection: func(state tls.ConnectionState) error {
					err := n.judge(b, state)
					if err != nil {
						n.refused(hello.Conn.RemoteAddr(), err)
					}
					return err
				},
				// Whoever comes back is judged anew.
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}

// judge takes certificates of hosts, and no others: people and policy servers have
// certificates of the same CA.
func (n *Node) judge(own *identity.Bundle, state tls.ConnectionState) error {
	who, err := identity.Verify(state.PeerCertificates, own.CA, time.Now())
	if err != nil {
		return err
	}
	if who.Role != identity.Agent {
		return fmt.Errorf("%w: %s is no host", identity.ErrRole, who)
	}
	return n.valid(state.PeerCertificates[0])
}
