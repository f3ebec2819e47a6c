// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Verify returns whom a chain of certificates is for, as TLS brought it: the
// first one's CA must be this one, and now within its time. Whether it was revoked
// is not to be seen in it.
func Verify(chain []*x509.Certificate, ca *x509.Certificate, now time.Time) (Subject, error) {
	if len(chain) == 0 {
		return Subject{}, ErrNone
	}
	leaf, roots := chain[0], x509.NewCertPool()
	roots.AddCert(ca)
	if leaf.IsCA {
		return Subject{}, fmt.Errorf("%w: it is a CA's own", ErrForeign)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err == nil && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		err = x509.CertificateInvalidError{Cert: leaf, Reason: x509.IncompatibleUsage}
	}
	if err != nil {
		return Subject{}, refused(leaf, err)
	}
	return SubjectOf(leaf)
}

// refused says why, in words that help.
func refused(leaf *x509.Certificate, err error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fmt.Errorf("%w: valid from %s to %s", ErrExpired,
			leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("%w: %w", ErrForeign, err)
}

// Pinned finds the CA with a fingerprint in a chain as TLS brought it, and verifies
// the chain by it: how a newcomer knows policyd.
func Pinned(chain []*x509.Certificate, pin Fingerprint, now time.Time) (Subject, error) {
	for _, c := range chain {
		if FingerprintOf(c) == pin {
			return Verify(chain, c, now)
		}
	}
	return Subject{}, fmt.Errorf("%w: it does not show the CA with fingerprint %s: was the token made for another domain?", ErrForeign, pin)
}
