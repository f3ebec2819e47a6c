// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"mbchain/chain"
)

const (
	// MaxRequest is how long a request may be, in bytes: one with MaxAddresses
	// addresses has some 2,000.
	MaxRequest = 8 << 10
	// MaxAddresses is how many a host may have.
	MaxAddresses = 64
)

// Request is a wish for a certificate: a PKCS #10 request, signed by the key that
// the certificate shall be for.
type Request struct {
	Subject   Subject // without an epoch: the CA's domain knows it
	Addresses []netip.Addr

	key *ecdsa.PublicKey
	der []byte // its key, as it stands in the certificate
}

// NewKey draws a private key.
func NewKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("draw key: %w", err)
	}
	return key, nil
}

// NewRequest writes a request.
func NewRequest(key *ecdsa.PrivateKey, s Subject, addresses []netip.Addr) ([]byte, error) {
	s.Epoch = 0
	template := &x509.CertificateRequest{IPAddresses: ips(addresses)}
	template.URIs = append(template.URIs, s.uri())
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fmt.Errorf("make request for a certificate: %w", err)
	}
	return der, nil
}

// ParseRequest reads a request and checks everything in it. Only agents have
// addresses.
func ParseRequest(der []byte) (*Request, error) {
	r, err := parseRequest(der)
	if err != nil {
		return nil, fmt.Errorf("read request for a certificate: %w", err)
	}
	return r, nil
}

func parseRequest(der []byte) (*Request, error) {
	if len(der) > MaxRequest {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrMalformed, len(der), MaxRequest)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	key, isECDSA := csr.PublicKey.(*ecdsa.PublicKey)
	if !isECDSA || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: key is not one of ECDSA on P-256", ErrMalformed)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: not signed by its key: %w", ErrMalformed, err)
	}
	if len(csr.URIs) != 1 || len(csr.DNSNames)+len(csr.EmailAddresses) > 0 {
		return nil, fmt.Errorf("%w: want one URI and addresses, and no other names", ErrMalformed)
	}
	subject, err := parseURI(csr.URIs[0])
	if err != nil {
		return nil, err
	}
	if subject.Epoch != 0 {
		return nil, fmt.Errorf("%w: it asks for an epoch", ErrMalformed)
	}
	addresses, err := requestedAddresses(subject.Role, csr.IPAddresses)
	if err != nil {
		return nil, err
	}
	return &Request{Subject: subject, Addresses: addresses, key: key, der: csr.RawSubjectPublicKeyInfo}, nil
}

func requestedAddresses(role Role, list []net.IP) ([]netip.Addr, error) {
	switch {
	case role == Agent && len(list) == 0:
		return nil, fmt.Errorf("%w: a host without an address", ErrMalformed)
	case role != Agent && len(list) > 0:
		return nil, fmt.Errorf("%w: a %s has no addresses", ErrMalformed, role)
	case len(list) > MaxAddresses:
		return nil, fmt.Errorf("%w: %d addresses, at most %d are allowed", ErrMalformed, len(list), MaxAddresses)
	}
	var out []netip.Addr
	for _, a := range addressesOf(list) {
		if err := chain.CheckHost(a); err != nil {
			return nil, fmt.Errorf("%w: address %s is %w", ErrMalformed, a, err)
		}
		if slices.Contains(out, a) {
			return nil, fmt.Errorf("%w: address %s is given twice", ErrMalformed, a)
		}
		out = append(out, a)
	}
	return out, nil
}

// KeyHash names the key that the certificate shall be for.
func (r *Request) KeyHash() []byte {
	h := sha256.Sum256(r.der)
	return h[:]
}

func ips(list []netip.Addr) []net.IP {
	var out []net.IP
	for _, a := range list {
		out = append(out, net.IP(a.AsSlice()))
	}
	return out
}

func addressesOf(list []net.IP) []netip.Addr {
	var out []netip.Addr
	for _, ip := range list {
		if a, ok := netip.AddrFromSlice(ip); ok {
			out = append(out, a.Unmap())
		}
	}
	return out
}
