// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Bundle is what one shows to others and judges them by. It is read-only.
type Bundle struct {
	Key  *ecdsa.PrivateKey
	Leaf *x509.Certificate // for Key
	CA   *x509.Certificate // that signed it, and those of all others
}

// NewBundle puts together what the CA's domain answered to a request of key. It
// checks that each belongs to the other, though not the time.
func NewBundle(key *ecdsa.PrivateKey, leaf, ca *x509.Certificate) (*Bundle, error) {
	b := &Bundle{Key: key, Leaf: leaf, CA: ca}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return nil, errors.New("certificate is not for this key")
	}
	if _, err := Verify([]*x509.Certificate{leaf}, ca, leaf.NotAfter); err != nil {
		return nil, err
	}
	return b, nil
}

// PEM is the bundle as [ParseBundle] reads it. It has the private key.
func (b *Bundle) PEM() ([]byte, error) { return encode(b.Key, b.Leaf, b.CA) }

// ParseBundle reads a bundle.
func ParseBundle(text []byte) (*Bundle, error) {
	key, certs, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	if len(certs) != 2 {
		return nil, fmt.Errorf("read identity: %w: want two certificates, its own and the CA's", ErrMalformed)
	}
	b, err := NewBundle(key, certs[0], certs[1])
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	return b, nil
}

// Subject is whom the bundle is for.
func (b *Bundle) Subject() Subject {
	s, _ := SubjectOf(b.Leaf) // checked when the bundle was made
	return s
}

// Addresses are those that it speaks for.
func (b *Bundle) Addresses() []netip.Addr { return AddressesOf(b.Leaf) }

// RenewAt is when it should be renewed: after a third of its life since it was signed,
// which leaves two thirds to try.
func (b *Bundle) RenewAt() time.Time {
	signed := b.Leaf.NotBefore.Add(skew)
	return signed.Add(b.Leaf.NotAfter.Sub(signed) / 3)
}

// Certificate is the bundle for package tls. The CA is in it for those who join:
// they know its fingerprint alone.
func (b *Bundle) Certificate() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{b.Leaf.Raw, b.CA.Raw}, PrivateKey: b.Key, Leaf: b.Leaf}
}

// Pool holds the CA.
func (b *Bundle) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(b.CA)
	return p
}

// SubjectOf returns whom a certificate is for; it does not ask who signed it.
func SubjectOf(c *x509.Certificate) (Subject, error) {
	if len(c.URIs) != 1 {
		return Subject{}, ErrNameless
	}
	s, err := parseURI(c.URIs[0])
	if err != nil {
		return Subject{}, fmt.Errorf("%w: %w", ErrNameless, err)
	}
	return s, nil
}

// AddressesOf returns the addresses that a certificate is for.
func AddressesOf(c *x509.Certificate) []netip.Addr { return addressesOf(c.IPAddresses) }
