// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"time"
)

const (
	// caLife is how long a CA lives: longer than a domain does without anybody's
	// thinking of it.
	caLife = 20 * 365 * 24 * time.Hour
	// skew is how far a clock may be behind that of who signed: also its own, when it
	// is put right. A clock that was set to local time is ahead by half a day at most.
	skew = 24 * time.Hour

	// DaemonLife is for hosts and policy servers, which renew after a third of
	// it: policyd may be away for two days.
	DaemonLife = 72 * time.Hour
	// PersonLife is for who uses mbctl, which renews when it is used.
	PersonLife = 7 * 24 * time.Hour
)

// Life is how long a certificate of a role is valid.
func Life(r Role) time.Duration {
	if r == Operator || r == Viewer {
		return PersonLife
	}
	return DaemonLife
}

// CA signs the certificates of a domain.
type CA struct {
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes the CA of a new domain.
func NewCA(now time.Time) (*CA, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "mbchain CA"},
		NotBefore: now.Add(-skew), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	cert, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	return &CA{Cert: cert, key: key}, nil
}

// Fingerprint names the CA.
func (ca *CA) Fingerprint() Fingerprint { return FingerprintOf(ca.Cert) }

// Issue signs a request for a subject, whose role and name are those of the
// request, valid from now on.
func (ca *CA) Issue(r *Request, epoch uint32, now time.Time) (*x509.Certificate, error) {
	s := r.Subject
	s.Epoch = epoch
	return ca.issue(s, r.Addresses, r.key, now)
}

// IssueKey signs for a key that is at hand: a policy server's own.
func (ca *CA) IssueKey(key *ecdsa.PrivateKey, s Subject, addresses []netip.Addr, now time.Time) (*Bundle, error) {
	cert, err := ca.issue(s, addresses, &key.PublicKey, now)
	if err != nil {
		return nil, err
	}
	return &Bundle{Key: key, Leaf: cert, CA: ca.Cert}, nil
}

func (ca *CA) issue(s Subject, addresses []netip.Addr, key *ecdsa.PublicKey, now time.Time) (*x509.Certificate, error) {
	end := now.Add(Life(s.Role))
	if end.After(ca.Cert.NotAfter) {
		end = ca.Cert.NotAfter
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: s.Name},
		NotBefore: now.Add(-skew), NotAfter: end,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: ips(addresses),
	}
	template.URIs = append(template.URIs, s.uri())
	cert, err := sign(template, ca.Cert, key, ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", s, err)
	}
	return cert, nil
}

func sign(template, parent *x509.Certificate, key crypto.PublicKey, with *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	rand.Read(serial) // never fails
	serial[0] &= 0x7f
	template.SerialNumber = new(big.Int).SetBytes(serial)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, with)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// PEM is the CA with its key, as [ParseCA] reads it.
func (ca *CA) PEM() ([]byte, error) { return encode(ca.key, ca.Cert) }

// ParseCA reads a CA with its key.
func ParseCA(text []byte) (*CA, error) {
	key, certs, err := decode(text)
	if err == nil {
		err = checkCA(key, certs)
	}
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	return &CA{Cert: certs[0], key: key}, nil
}

func checkCA(key *ecdsa.PrivateKey, certs []*x509.Certificate) error {
	switch {
	case len(certs) != 1 || !certs[0].IsCA:
		return fmt.Errorf("%w: want one certificate, of a CA", ErrMalformed)
	case !key.PublicKey.Equal(certs[0].PublicKey):
		return fmt.Errorf("%w: key and certificate do not belong together", ErrMalformed)
	}
	return nil
}

// encode writes a key and certificates.
func encode(key *ecdsa.PrivateKey, certs ...*x509.Certificate) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text, nil
}

// maxPEM is how long a text with a key and certificates may be, in bytes.
const maxPEM = 32 << 10

// decode reads one key and the certificates after it, and nothing else.
func decode(text []byte) (*ecdsa.PrivateKey, []*x509.Certificate, error) {
	if len(text) > maxPEM {
		return nil, nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrMalformed, len(text), maxPEM)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, nil, fmt.Errorf("%w: no private key in front", ErrMalformed)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	key, isECDSA := parsed.(*ecdsa.PrivateKey)
	if !isECDSA {
		return nil, nil, fmt.Errorf("%w: key is not one of ECDSA", ErrMalformed)
	}
	certs, err := decodeCerts(rest)
	return key, certs, err
}

func decodeCerts(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%w: something else than certificates", ErrMalformed)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		certs, text = append(certs, cert), rest
	}
	if len(certs) == 0 {
		return nil, errors.Join(ErrMalformed, errors.New("no certificate"))
	}
	return certs, nil
}
