// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/tls"
	"fmt"
	"slices"
	"time"
)

// Source has the bundle of the moment: one that is renewed takes the place of the
// old one for each connection that begins.
type Source interface {
	Bundle() (*Bundle, error)
}

// Expires returns when the certificate of a source ends; zero: there is none.
func Expires(s Source) time.Time {
	b, err := s.Bundle()
	if err != nil {
		return time.Time{}
	}
	return b.Leaf.NotAfter
}

// Fixed returns a Source that stays the same.
func Fixed(b *Bundle) Source { return fixed{b} }

type fixed struct{ bundle *Bundle }

func (f fixed) Bundle() (*Bundle, error) { return f.bundle, nil }

// ServerTLS is for a server that tells its callers why it refuses them: it takes
// every certificate, or none, and who serves looks at what was shown by [Verify].
func ServerTLS(s Source, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			b, err := s.Bundle()
			if err != nil {
				return nil, err
			}
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: protocols,
				Certificates: []tls.Certificate{b.Certificate()},
				ClientAuth:   tls.RequestClientCert,
				// Whoever comes back is judged anew.
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}

// PeerTLS is for a server that refuses callers of other roles in the handshake,
// where there is no way to tell them why.
func PeerTLS(s Source, now func() time.Time, protocols []string, roles ...Role) *tls.Config {
	config := ServerTLS(s, protocols...)
	ask := config.GetConfigForClient
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		own, err := ask(hello)
		if err != nil {
			return nil, err
		}
		own.VerifyConnection = verify(s, now, roles)
		return own, nil
	}
	return config
}

// verify takes certificates of these roles.
func verify(s Source, now func() time.Time, roles []Role) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		b, err := s.Bundle()
		if err != nil {
			return err
		}
		subject, err := Verify(state.PeerCertificates, b.CA, now())
		if err != nil {
			return err
		}
		return wantRole(subject, roles)
	}
}

// ClientTLS is for connections to servers of one of these roles, which are known
// by what their certificate says and not by the address that was dialled: it may
// be anything that leads to them.
func ClientTLS(s Source, now func() time.Time, protocols []string, roles ...Role) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: protocols,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			b, err := s.Bundle()
			if err != nil {
				return nil, err
			}
			cert := b.Certificate()
			return &cert, nil
		},
		// In place of what package tls would verify, the name that was dialled
		// among it.
		InsecureSkipVerify: true,
		VerifyConnection:   verify(s, now, roles),
	}
}

// PinnedTLS is for who has a token and no certificate yet: it speaks to a policy
// server that shows the token's CA, and to nobody else.
func PinnedTLS(pin Fingerprint, now func() time.Time, protocols []string, seen func(tls.ConnectionState)) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: protocols,
		InsecureSkipVerify: true, // in its place:
		VerifyConnection: func(state tls.ConnectionState) error {
			subject, err := Pinned(state.PeerCertificates, pin, now())
			if err != nil {
				return err
			}
			seen(state)
			return wantRole(subject, []Role{Policyd})
		},
	}
}

func wantRole(s Subject, roles []Role) error {
	if !slices.Contains(roles, s.Role) {
		return fmt.Errorf("%w: it is that of %s", ErrRole, s)
	}
	return nil
}
