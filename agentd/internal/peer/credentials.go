// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"

	"mbchain/identity"
)

// alpn is the protocol that is spoken here.
const alpn = "mbchain/1"

// resetKey lets hosts that this one forgot, when it was started anew, find out
// at once. It follows from the private key, so it is the same as before.
func resetKey(s identity.Source) [32]byte {
	b, err := s.Bundle()
	if err == nil {
		if key, err := x509.MarshalPKCS8PrivateKey(b.Key); err == nil {
			return sha256.Sum256(append([]byte("mbchain stateless reset\x00"), key...))
		}
	}
	var key [32]byte // nobody knows this host yet
	rand.Read(key[:])
	return key
}

// client is for a connection to a host.
func client(s identity.Source, host netip.Addr) (*tls.Config, error) {
	b, err := s.Bundle()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{alpn},
		Certificates: []tls.Certificate{b.Certificate()}, RootCAs: b.Pool(),
		ServerName:       host.String(), // the name to be found in the certificate
		VerifyConnection: isAgent,
	}, nil
}

// server is for connections of hosts.
func server(s identity.Source) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{alpn},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			b, err := s.Bundle()
			if err != nil {
				return nil, err
			}
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: []string{alpn},
				Certificates: []tls.Certificate{b.Certificate()}, ClientCAs: b.Pool(),
				ClientAuth:       tls.RequireAndVerifyClientCert,
				VerifyConnection: isAgent,
				// Whoever comes back is judged anew.
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}

// isAgent refuses people and policy servers, whose certificates are of the same CA.
func isAgent(state tls.ConnectionState) error {
	who, err := identity.SubjectOf(state.PeerCertificates[0])
	if err != nil {
		return err
	}
	if who.Role != identity.Agent {
		return fmt.Errorf("%w: %s is no host", identity.ErrRole, who)
	}
	return nil
}
