// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Files are where the credentials of a host are, in PEM.
type Files struct {
	CA   string // certificates that sign those of hosts
	Cert string // of this host, with those between it and the CA
	Key  string // of this host
}

// Credentials are what a host shows to others and judges them by. They follow
// their files: a certificate may be renewed at any time.
type Credentials struct {
	files Files

	mu   sync.Mutex
	last *identity
}

// identity is what the files held at one moment.
type identity struct {
	cert tls.Certificate
	ca   *x509.CertPool
	key  []byte // of the files, to know it again
}

// Load reads the files for the first time. The error says what to do.
func Load(files Files) (*Credentials, error) {
	id, err := read(files)
	if err != nil {
		return nil, err
	}
	return &Credentials{files: files, last: id}, nil
}

// Addresses returns those that this host's certificate has.
func (c *Credentials) Addresses() []netip.Addr {
	id, _ := c.identity()
	return addressesOf(id.cert.Leaf)
}

// Expires returns when this host's certificate does.
func (c *Credentials) Expires() time.Time {
	id, _ := c.identity()
	return id.cert.Leaf.NotAfter
}

// identity returns what the files hold now. While they cannot be read, in the
// middle of a renewal for instance, it is what they held last, beside the error.
func (c *Credentials) identity() (*identity, error) {
	id, err := read(c.files)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.last = id
	}
	return c.last, err
}

func read(files Files) (*identity, error) {
	caText, err := os.ReadFile(files.CA)
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	certText, err := os.ReadFile(files.Cert)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	keyText, err := os.ReadFile(files.Key)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	id := &identity{ca: x509.NewCertPool(), key: keyText}
	if !id.ca.AppendCertsFromPEM(caText) {
		return nil, fmt.Errorf("read CA %s: no certificate in it", files.CA)
	}
	if id.cert, err = tls.X509KeyPair(certText, keyText); err != nil {
		return nil, fmt.Errorf("read certificate %s and key %s: %w", files.Cert, files.Key, err)
	}
	if err := id.check(certText); err != nil {
		return nil, fmt.Errorf("check certificate %s: %w", files.Cert, err)
	}
	return id, nil
}

// check looks for what every other host would refuse, but for its time: it may
// be renewed while agentd runs.
func (id *identity) check(chain []byte) error {
	leaf := id.cert.Leaf
	if len(leaf.IPAddresses) == 0 {
		return errors.New("no IP address among its names; make one with those of this host")
	}
	between := x509.NewCertPool()
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			between.AddCert(c)
		}
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		_, err := leaf.Verify(x509.VerifyOptions{
			Roots: id.ca, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{usage},
			CurrentTime: leaf.NotBefore.Add(time.Second),
		})
		if err != nil {
			return fmt.Errorf("the CA does not vouch for it, as server and client: %w", err)
		}
	}
	return nil
}

// resetKey lets hosts that this one forgot, when it was started anew, find out
// at once. It follows from the private key, so it is the same as before.
func (id *identity) resetKey() [32]byte {
	return sha256.Sum256(append([]byte("mbchain stateless reset\x00"), id.key...))
}

// alpn is the protocol that is spoken here.
const alpn = "mbchain/1"

// client is for a connection to a host.
func (c *Credentials) client(host netip.Addr) (*tls.Config, error) {
	id, err := c.identity()
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{alpn},
		Certificates: []tls.Certificate{id.cert}, RootCAs: id.ca,
		ServerName: host.String(), // the name to be found in the certificate
	}, err
}

// server is for connections of hosts.
func (c *Credentials) server(told func(error)) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{alpn},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			id, err := c.identity()
			told(err)
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: []string{alpn},
				Certificates: []tls.Certificate{id.cert}, ClientCAs: id.ca,
				ClientAuth: tls.RequireAndVerifyClientCert,
				// Whoever comes back is judged anew.
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}

// addressesOf returns the addresses that a certificate is for.
func addressesOf(c *x509.Certificate) []netip.Addr {
	var out []netip.Addr
	for _, ip := range c.IPAddresses {
		if a, ok := netip.AddrFromSlice(net.IP(ip)); ok {
			out = append(out, a.Unmap())
		}
	}
	return out
}
