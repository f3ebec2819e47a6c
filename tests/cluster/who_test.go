// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"cmp"
	"crypto/ecdsa"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"mbchain/identity"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// who is the clients and hosts of a domain. Their certificates are made with the
// CA's key as it lies in a node's directory: these tests are not about how one gets
// a certificate, but for nodes, which join with tokens.
type who struct {
	ca  *identity.CA
	key *ecdsa.PrivateKey // of all of them
}

// found starts the first node, which makes the domain's CA.
func (d *domain) found() {
	d.t.Helper()
	first := d.nodes[0]
	first.start()
	eventually(d.t, func() error {
		text, err := os.ReadFile(filepath.Join(cmp.Or(first.inside, first.data), "ca.pem"))
		if err == nil {
			d.who.ca, err = identity.ParseCA(text)
		}
		return err
	})
	var err error
	if d.who.key, err = identity.NewKey(); err != nil {
		d.t.Fatal(err)
	}
	d.http = d.client(d.certify(identity.Operator, "anna"))
}

func (d *domain) certify(role identity.Role, name string, addresses ...string) *identity.Bundle {
	d.t.Helper()
	var list []netip.Addr
	for _, a := range addresses {
		list = append(list, netip.MustParseAddr(a))
	}
	b, err := d.who.ca.IssueKey(d.who.key, identity.Subject{Role: role, Name: name}, list, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

// client speaks to nodes with a certificate.
func (d *domain) client(b *identity.Bundle) *http.Client {
	transport := &http.Transport{
		DialContext: d.dial, Protocols: new(http.Protocols),
		TLSClientConfig: identity.ClientTLS(identity.Fixed(b), time.Now, []string{"h2"}, identity.Policyd),
	}
	transport.Protocols.SetHTTP2(true)
	transport.TLSHandshakeTimeout = tryFor
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: time.Second, PingTimeout: time.Second}
	d.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// token makes one with which a node may join, and returns the file that it is in.
func (d *domain) token(asked *node, name string) string { return d.tokenFor(asked, "policyd", name) }

func (d *domain) tokenFor(asked *node, role, name string) string {
	d.t.Helper()
	token := identity.NewToken()
	made, err := protoconnect.NewIdentityServiceClient(d.http, "https://"+asked.address).CreateToken(d.t.Context(), &proto.CreateTokenRequest{
		Role: role, Name: name, Id: token.ID(), SecretHash: identity.HashSecret(token.Secret()),
	})
	if err != nil {
		d.t.Fatal(err)
	}
	copy(token.CA[:], made.CaFingerprint)
	path := filepath.Join(d.t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token.Text()+"\n"), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}
