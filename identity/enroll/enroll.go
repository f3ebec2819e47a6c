// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

const (
	// timeout bounds one call with its connection.
	timeout = 10 * time.Second
	// maxAnswer is how large an answer may be, in bytes: two certificates.
	maxAnswer = 32 << 10
)

// Protocols are what policyd speaks over TLS, the best first.
var Protocols = []string{"h2", "http/1.1"}

// Server is the policy server to ask.
type Server struct {
	Address string // ADDRESS:PORT
	// Dial opens a TCP connection; nil: as the system does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the time; nil: the clock.
	Now func() time.Time
}

func (s Server) now() func() time.Time {
	if s.Now == nil {
		return time.Now
	}
	return s.Now
}

// Join asks with a token for the certificate of a request.
func Join(ctx context.Context, s Server, token identity.Token, request []byte) (leaf, ca *x509.Certificate, err error) {
	var mu sync.Mutex // the transport has goroutines of its own
	var shown *x509.Certificate
	config := identity.PinnedTLS(token.CA, s.now(), Protocols, func(state tls.ConnectionState) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range state.PeerCertificates {
			if identity.FingerprintOf(c) == token.CA {
				shown = c
			}
		}
	})
	client, done := s.client(config)
	defer done()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := client.Join(ctx, &proto.JoinRequest{TokenId: token.ID(), Secret: token.Secret(), Request: request})
	if err != nil {
		return nil, nil, fmt.Errorf("join at %s: %w", s.Address, plain(err))
	}
	mu.Lock()
	defer mu.Unlock()
	return s.certificates(answer, shown)
}

// Renew asks with the certificate of src for another one.
func Renew(ctx context.Context, s Server, src identity.Source, request []byte) (leaf, ca *x509.Certificate, err error) {
	b, err := src.Bundle()
	if err != nil {
		return nil, nil, err
	}
	client, done := s.client(identity.ClientTLS(src, s.now(), Protocols, identity.Policyd))
	defer done()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := client.Renew(ctx, &proto.RenewRequest{Request: request})
	if err != nil {
		return nil, nil, fmt.Errorf("renew certificate at %s: %w", s.Address, plain(err))
	}
	return s.certificates(answer, b.CA)
}

// Refused reports whether an error says that policyd does not take the
// certificate.
func Refused(err error) bool { return connect.CodeOf(err) == connect.CodeUnauthenticated }

// Answered reports whether an error is the last word of a policyd: another one, or
// the same in a moment, would say no other.
func Answered(err error) bool {
	if errors.Is(err, identity.ErrForeign) {
		return true
	}
	for wire := err; wire != nil; wire = errors.Unwrap(wire) {
		if connect.IsWireError(wire) {
			code := connect.CodeOf(wire)
			return code != connect.CodeUnavailable && code != connect.CodeUnknown && code != connect.CodeResourceExhausted
		}
	}
	return false
}

// plain leaves out the layers that all say the same.
func plain(err error) error {
	var answer *connect.Error
	if errors.As(err, &answer) && !connect.IsWireError(err) {
		return answer.Unwrap()
	}
	return err
}

// certificates reads an answer, which the CA that is trusted must have signed.
func (s Server) certificates(answer *proto.CertificateResponse, ca *x509.Certificate) (leaf, _ *x509.Certificate, err error) {
	if leaf, err = x509.ParseCertificate(answer.Certificate); err != nil {
		return nil, nil, fmt.Errorf("read certificate from %s: %w", s.Address, err)
	}
	if _, err := identity.Verify([]*x509.Certificate{leaf}, ca, s.now()()); err != nil {
		return nil, nil, fmt.Errorf("check certificate from %s: %w (does this host's clock run right?)", s.Address, err)
	}
	return leaf, ca, nil
}

func (s Server) client(config *tls.Config) (protoconnect.IdentityServiceClient, func()) {
	dial := s.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	transport := &http.Transport{
		DialContext: dial, TLSClientConfig: config, ForceAttemptHTTP2: true, TLSHandshakeTimeout: timeout,
	}
	return protoconnect.NewIdentityServiceClient(&http.Client{Transport: transport}, "https://"+s.Address,
		connect.WithReadMaxBytes(maxAnswer)), transport.CloseIdleConnections
}
