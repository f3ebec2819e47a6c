// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// now is the time of every test.
var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func newCA(t testing.TB) *CA {
	t.Helper()
	ca, err := NewCA(now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var mb1 = Subject{Role: Agent, Name: "mb1", Epoch: 3}

func issue(t testing.TB, ca *CA, s Subject, addresses ...netip.Addr) *Bundle {
	t.Helper()
	b, err := ca.IssueKey(newKey(t), s, addresses, now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRequestBecomesACertificate(t *testing.T) {
	ca, key := newCA(t), newKey(t)
	addresses := []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")}
	der, err := NewRequest(key, Subject{Role: Agent, Name: "mb1"}, addresses)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(r, 3, now)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBundle(key, cert, ca.Cert)
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.PEM()
	if err != nil {
		t.Fatal(err)
	}
	if b, err = ParseBundle(text); err != nil {
		t.Fatal(err)
	}
	if b.Subject() != mb1 || !slices.Equal(b.Addresses(), addresses) {
		t.Errorf("subject %+v, addresses %v", b.Subject(), b.Addresses())
	}
	if got := b.RenewAt().Sub(now); got < DaemonLife/4 || got > DaemonLife/2 {
		t.Errorf("renewed after %v", got)
	}
	if got, err := Verify([]*x509.Certificate{b.Leaf}, ca.Cert, now); err != nil || got != mb1 {
		t.Errorf("verified as %v, error %v", got, err)
	}
}

// A host whose clock was put back by an hour took nobody's certificate for most of it, and
// nobody renewed one.
func TestClockThatWasPutBack(t *testing.T) {
	ca := newCA(t)
	b := issue(t, ca, mb1)
	if _, err := Verify([]*x509.Certificate{b.Leaf}, ca.Cert, now.Add(-12*time.Hour)); err != nil {
		t.Errorf("a new certificate by a clock that was put back: %v", err)
	}
	if got, want := b.RenewAt().Sub(now).Round(time.Minute), DaemonLife/3; got != want {
		t.Errorf("it is renewed after %v, want %v", got, want)
	}
}

func TestVerifyRefuses(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	b := issue(t, ca, mb1)
	nameless := *b.Leaf
	nameless.URIs = nil
	unsigned := issue(t, ca, mb1).Leaf
	altered := append([]byte(nil), unsigned.Raw...)
	altered[len(altered)-1] ^= 1
	forged, err := x509.ParseCertificate(altered)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		chain []*x509.Certificate
		at    time.Time
		want  error
	}{
		{"nothing", nil, now, ErrNone},
		{"expired", []*x509.Certificate{b.Leaf}, now.Add(DaemonLife + time.Second), ErrExpired},
		{"not valid yet", []*x509.Certificate{b.Leaf}, now.Add(-skew - time.Second), ErrExpired},
		{"of another CA", []*x509.Certificate{issue(t, other, mb1).Leaf}, now, ErrForeign},
		{"of another CA that is in the chain", []*x509.Certificate{issue(t, other, mb1).Leaf, other.Cert}, now, ErrForeign},
		{"altered", []*x509.Certificate{forged}, now, ErrForeign},
		{"the CA's own", []*x509.Certificate{ca.Cert}, now, ErrForeign},
		{"no name", []*x509.Certificate{&nameless}, now, ErrNameless},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Verify(tt.chain, ca.Cert, tt.at); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestPinned(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	server := issue(t, ca, Subject{Role: Policyd, Name: "policyd1"})
	chain := []*x509.Certificate{server.Leaf, ca.Cert}
	if s, err := Pinned(chain, ca.Fingerprint(), now); err != nil || s.Role != Policyd {
		t.Errorf("subject %v, error %v", s, err)
	}
	if _, err := Pinned(chain, other.Fingerprint(), now); !errors.Is(err, ErrForeign) {
		t.Errorf("another fingerprint: %v", err)
	}
	// The CA's certificate is no secret: who shows it must have been signed by it.
	chain[0] = issue(t, other, Subject{Role: Policyd, Name: "policyd1"}).Leaf
	if _, err := Pinned(chain, ca.Fingerprint(), now); !errors.Is(err, ErrForeign) {
		t.Errorf("another server with this CA in its chain: %v", err)
	}
}

func TestParseRequestRefuses(t *testing.T) {
	key := newKey(t)
	uri := func(s string) []*url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return []*url.URL{u}
	}
	ip := []net.IP{net.IPv4(10, 0, 0, 2)}
	good := uri("mbchain://agent/mb1/0")
	tests := []struct {
		name     string
		template x509.CertificateRequest
		says     string
	}{
		{"no URI", x509.CertificateRequest{IPAddresses: ip}, "want one URI"},
		{"two URIs", x509.CertificateRequest{URIs: append(uri("mbchain://viewer/a/0"), good...)}, "want one URI"},
		{"a DNS name", x509.CertificateRequest{URIs: good, IPAddresses: ip, DNSNames: []string{"policyd1"}}, "want one URI"},
		{"another scheme", x509.CertificateRequest{URIs: uri("spiffe://agent/mb1/0")}, "want mbchain://"},
		{"another role", x509.CertificateRequest{URIs: uri("mbchain://root/mb1/0")}, `role "root"`},
		{"a name with capitals", x509.CertificateRequest{URIs: uri("mbchain://agent/MB1/0")}, `name "MB1"`},
		{"an epoch", x509.CertificateRequest{URIs: uri("mbchain://agent/mb1/7"), IPAddresses: ip}, "asks for an epoch"},
		{"a query", x509.CertificateRequest{URIs: uri("mbchain://agent/mb1/0?x"), IPAddresses: ip}, "want mbchain://agent/mb1/0"},
		{"a host without an address", x509.CertificateRequest{URIs: good}, "without an address"},
		{"a viewer with one", x509.CertificateRequest{URIs: uri("mbchain://viewer/a/0"), IPAddresses: ip}, "viewer has no addresses"},
		{"loopback", x509.CertificateRequest{URIs: good, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, "loopback"},
		{"twice", x509.CertificateRequest{URIs: good, IPAddresses: append(ip, ip...)}, "given twice"},
		{"too many", x509.CertificateRequest{URIs: good, IPAddresses: slices.Repeat(ip, 65)}, "65 addresses"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			der, err := x509.CreateCertificateRequest(rand.Reader, &tt.template, key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseRequest(der); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v does not say %q", err, tt.says)
			}
		})
	}
}

func TestParseRequestRefusesBytes(t *testing.T) {
	der, err := NewRequest(newKey(t), Subject{Role: Viewer, Name: "anna"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	altered := append([]byte(nil), der...)
	altered[len(altered)-1] ^= 1
	strong, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherCurve, err := NewRequest(strong, Subject{Role: Viewer, Name: "anna"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "half": der[:len(der)/2], "more": append(der[:len(der):len(der)], 0), "altered": altered,
		"long": make([]byte, MaxRequest+1), "another curve": otherCurve,
	} {
		if _, err := ParseRequest(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestToken(t *testing.T) {
	token := NewToken()
	token.CA = newCA(t).Fingerprint()
	got, err := ParseToken(token.Text())
	if err != nil || got != token {
		t.Errorf("read back as %v, error %v", got, err)
	}
	if strings.Contains(token.String(), token.Text()[22:54]) {
		t.Error("its String has the secret")
	}
	text := token.Text()
	for name, bad := range map[string]string{
		"empty": "", "cut": text[:len(text)-1], "longer": text + "0", "capitals": strings.ToUpper(text),
		"another version": "mbc2" + text[4:], "no digits": strings.Replace(text, text[5:7], "zz", 1),
		"a dot moved": text[:4] + text[5:6] + "." + text[6:], "huge": strings.Repeat("a", 1<<20),
	} {
		if _, err := ParseToken(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The text is what operators hand over, also to older programs.
func TestTokenGolden(t *testing.T) {
	const text = "mbc1.0011223344556677.00112233445566778899aabbccddeeff." +
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	token, err := ParseToken(text)
	if err != nil || token.Text() != text || token.ID() != "0011223344556677" || token.Secret()[15] != 0xff || token.CA[31] != 0x1f {
		t.Errorf("read as %q, error %v", token.Text(), err)
	}
	const hash = "b97ab9bf6ff51e85"
	if got := hex.EncodeToString(HashSecret(token.Secret()))[:16]; got != hash {
		t.Errorf("hash %s, want %s", got, hash)
	}
	if got, want := mb1.uri().String(), "mbchain://agent/mb1/3"; got != want {
		t.Errorf("URI %s, want %s", got, want)
	}
}

func TestParseCAAndBundleRefuse(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	text, err := ca.PEM()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseBundle(text); err == nil {
		t.Error("a CA is taken for a bundle")
	}
	b := issue(t, ca, mb1)
	mixed, err := (&Bundle{Key: b.Key, Leaf: b.Leaf, CA: other.Cert}).PEM()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseBundle(mixed); !errors.Is(err, ErrForeign) {
		t.Errorf("bundle with another CA: %v", err)
	}
	keyless, err := encode(other.key, ca.Cert)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"nothing": nil, "another key": keyless, "cut": text[:len(text)-40], "long": make([]byte, maxPEM+1),
	} {
		if _, err := ParseCA(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// none is a source of nobody's.
type none struct{}

func (none) Bundle() (*Bundle, error) { return nil, ErrMalformed }

func TestExpires(t *testing.T) {
	b := issue(t, newCA(t), mb1)
	if got := Expires(Fixed(b)); !got.Equal(b.Leaf.NotAfter) {
		t.Errorf("it ends at %v, want %v", got, b.Leaf.NotAfter)
	}
	if got := Expires(none{}); !got.IsZero() {
		t.Errorf("none ends at %v", got)
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(NewToken().Text())
	f.Add("mbc1..." + strings.Repeat("0", tokenTextLen-7))
	f.Fuzz(func(t *testing.T, text string) {
		if token, err := ParseToken(text); err == nil && token.Text() != text {
			t.Errorf("%q is read as %q", text, token.Text())
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	for _, s := range []Subject{{Role: Agent, Name: "mb1"}, {Role: Viewer, Name: "anna"}} {
		var addresses []netip.Addr
		if s.Role == Agent {
			addresses = []netip.Addr{netip.MustParseAddr("10.0.0.2")}
		}
		der, err := NewRequest(newKey(f), s, addresses)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	ca := newCA(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := ParseRequest(der)
		if err != nil {
			return
		}
		cert, err := ca.Issue(r, 1, now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Verify([]*x509.Certificate{cert}, ca.Cert, now)
		if err != nil || got.Role != r.Subject.Role || got.Name != r.Subject.Name || got.Epoch != 1 {
			t.Errorf("asked for %v, got %v, error %v", r.Subject, got, err)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	text, err := issue(f, newCA(f), mb1).PEM()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if b, err := ParseBundle(text); err == nil && b.Subject().Name == "" {
			t.Error("a bundle without a name")
		}
	})
}
