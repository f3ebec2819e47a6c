// SPDX-License-Identifier: Apache-2.0

// Package peertest makes certificates for tests of what package peer does. It
// imports identity.
package peertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"mbchain/identity"
)

// A CA signs certificates.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA returns a new one.
func NewCA(t testing.TB) *CA {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(2 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &CA{cert: cert, key: key}
}

// A Host is an identity that may be replaced at any time.
type Host struct {
	mu     sync.Mutex
	bundle *identity.Bundle
}

// Bundle implements identity.Source.
func (h *Host) Bundle() (*identity.Bundle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bundle, nil
}

// Set replaces the identity by another host's.
func (h *Host) Set(by *Host) {
	b, _ := by.Bundle()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bundle = b
}

// Trust returns the same host, which trusts another CA.
func (h *Host) Trust(ca *CA) *Host {
	b, _ := h.Bundle()
	return &Host{bundle: &identity.Bundle{Key: b.Key, Leaf: b.Leaf, CA: ca.cert}}
}

// Issue returns host mb1 with these addresses. change, unless nil, has a last word.
func (ca *CA) Issue(t testing.TB, change func(*x509.Certificate), addresses ...string) *Host {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: "test host"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{{Scheme: "mbchain", Host: "agent", Path: "/mb1/1"}},
	}
	for _, a := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.IP(netip.MustParseAddr(a).AsSlice()))
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Host{bundle: &identity.Bundle{Key: key, Leaf: leaf, CA: ca.cert}}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
