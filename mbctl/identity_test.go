// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/identity/enroll"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// theCA is that of every test's domain, of the time at which they run.
var theCA = sync.OnceValue(func() *identity.CA {
	ca, err := identity.NewCA(now.Add(-24 * time.Hour))
	if err != nil {
		panic(err)
	}
	return ca
})

func certify(t *testing.T, role identity.Role, name string, at time.Time) *identity.Bundle {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := theCA().IssueKey(key, identity.Subject{Role: role, Name: name, Epoch: 1}, nil, at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// serveTLS is serve for policyd's port.
func serveTLS(t *testing.T, register func(*http.ServeMux)) (address string) {
	mux := http.NewServeMux()
	register(mux)
	s := httptest.NewUnstartedServer(mux)
	s.EnableHTTP2 = true
	s.TLS = identity.ServerTLS(identity.Fixed(certify(t, identity.Policyd, "policyd1", now)), enroll.Protocols...)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

const annasFile = "/home/anna/.config/mbchain/identity.pem"

// withIdentity gives the world anna's, and a place to keep it.
func withIdentity(t *testing.T, tw *testWorld) {
	tw.env["HOME"] = "/home/anna"
	tw.identities = map[string]*identity.Bundle{annasFile: certify(t, identity.Operator, "anna", now.Add(-time.Hour))}
	tw.load = func(path string) (*identity.Bundle, error) {
		if b, ok := tw.identities[path]; ok {
			return b, nil
		}
		return nil, os.ErrNotExist
	}
	tw.save = func(path string, b *identity.Bundle) error { tw.identities[path] = b; return nil }
	tw.newToken = func() identity.Token { return labToken() }
}

// labToken is the same in every test, but for its CA.
func labToken() identity.Token {
	t, err := identity.ParseToken("mbc1.1f2e3d4c5b6a7988." + strings.Repeat("5e", 16) + "." + strings.Repeat("00", 32))
	if err != nil {
		panic(err)
	}
	return t
}

// identityFake is IdentityService of a domain that mb1 and anna have joined.
type identityFake struct {
	protoconnect.UnimplementedIdentityServiceHandler
	f *fake

	created *proto.CreateTokenRequest
	renewed int
	joinErr error
	step    string
}

func (i *identityFake) certificate(der []byte) (*proto.CertificateResponse, error) {
	r, err := identity.ParseRequest(der)
	if err != nil {
		return nil, err
	}
	cert, err := theCA().Issue(r, 1, now)
	if err != nil {
		return nil, err
	}
	return &proto.CertificateResponse{Certificate: cert.Raw}, nil
}

func (i *identityFake) Join(_ context.Context, r *proto.JoinRequest) (*proto.CertificateResponse, error) {
	if i.joinErr != nil {
		return nil, i.joinErr
	}
	return i.certificate(r.Request)
}

func (i *identityFake) Renew(_ context.Context, r *proto.RenewRequest) (*proto.CertificateResponse, error) {
	if i.f.err != nil {
		return nil, i.f.err
	}
	i.renewed++
	return i.certificate(r.Request)
}

func (i *identityFake) info(r *proto.CreateTokenRequest) *proto.TokenInfo {
	return &proto.TokenInfo{
		Id: r.Id, Role: r.Role, Name: r.Name, Uses: r.Uses, CreatedBy: "operator anna",
		ExpiresUnixMs: now.UnixMilli() + int64(r.TtlMs), CreatedUnixMs: now.UnixMilli(),
	}
}

func (i *identityFake) CreateToken(_ context.Context, r *proto.CreateTokenRequest) (*proto.CreateTokenResponse, error) {
	i.created = r
	// The golden files need one that is always the same.
	return &proto.CreateTokenResponse{Token: i.info(r), CaFingerprint: []byte(strings.Repeat("\xca", 32))}, i.f.err
}

func (i *identityFake) ListTokens(context.Context, *proto.ListTokensRequest) (*proto.ListTokensResponse, error) {
	old := i.info(&proto.CreateTokenRequest{Id: "0011223344556677", Role: "viewer", Name: "dashboard"})
	return &proto.ListTokensResponse{Tokens: []*proto.TokenInfo{
		old, i.info(&proto.CreateTokenRequest{Id: labToken().ID(), Role: "agent", Uses: 12, TtlMs: 3600_000}),
	}}, i.f.err
}

func (i *identityFake) RevokeToken(_ context.Context, r *proto.RevokeTokenRequest) (*proto.RevokeTokenResponse, error) {
	answer := &proto.RevokeTokenResponse{}
	if r.Joined {
		answer.Revoked = []string{"agent mb1", "agent mb2"}
	}
	return answer, i.f.err
}

func (i *identityFake) ListMembers(context.Context, *proto.ListMembersRequest) (*proto.ListMembersResponse, error) {
	hourAgo := now.Add(-time.Hour).UnixMilli()
	return &proto.ListMembersResponse{
		Members: []*proto.DomainMember{
			{Role: "agent", Name: "mb1", Addresses: []string{"10.0.0.2", "fd00::2"}, Epoch: 1, Token: labToken().ID(), JoinedUnixMs: hourAgo},
			{Role: "agent", Name: "mb9", Epoch: 2, Token: labToken().ID(), JoinedUnixMs: hourAgo, Revoked: true, RevokedUnixMs: now.Add(-time.Minute).UnixMilli()},
			{Role: "operator", Name: "anna", Epoch: 1, Token: "8877665544332211", JoinedUnixMs: hourAgo},
		},
		Refused: map[string]uint64{"expired": 3, "role": 1204},
	}, i.f.err
}

func (i *identityFake) RevokeMember(_ context.Context, r *proto.RevokeMemberRequest) (*proto.RevokeMemberResponse, error) {
	if r.Name == "nobody" {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("nobody joined under that name: agent nobody"))
	}
	return &proto.RevokeMemberResponse{}, i.f.err
}

func (i *identityFake) ListKeys(context.Context, *proto.ListKeysRequest) (*proto.ListKeysResponse, error) {
	if i.step == "" {
		return &proto.ListKeysResponse{Keys: []*proto.KeyInfo{{Id: 1, Signs: true}}, Step: "idle"}, i.f.err
	}
	return &proto.ListKeysResponse{
		Keys: []*proto.KeyInfo{{Id: 1, Signs: true}, {Id: 2}}, Step: i.step,
		Waiting: []string{"mb3"}, SinceUnixMs: now.Add(-time.Minute).UnixMilli(),
	}, i.f.err
}

func (i *identityFake) RotateKey(context.Context, *proto.RotateKeyRequest) (*proto.RotateKeyResponse, error) {
	return &proto.RotateKeyResponse{Id: 2, Unchanged: i.step != ""}, i.f.err
}

func spreading(f *fake, _ *testWorld) { f.step = "spreading" }

func (tw *testWorld) brings(token string) { tw.stdin = strings.NewReader(token + "\n") }

// TestGoldenIdentity is TestGolden for who is who. What is random, such as a CA, is
// in none of them.
func TestGoldenIdentity(t *testing.T) {
	testGolden(t, lab, []goldenTest{
		{name: "token_create", line: "token  create  --role  agent"},
		{name: "token_create_json", line: "token  create  --role  agent  --name  mb1  --uses  1  --ttl  24h  --json"},
		{name: "token_create_no_role", line: "token  create"},
		{name: "token_create_viewer", line: "token  create  --role  agent", set: failing(connect.CodePermissionDenied, "role does not allow it: viewer anna may not call it")},
		{name: "token_list", line: "token  list"},
		{name: "token_list_json", line: "token  list  --json"},
		{name: "token_revoke", line: "token  revoke  1f2e3d4c5b6a7988"},
		{name: "token_revoke_joined", line: "token  revoke  1f2e3d4c5b6a7988  --joined"},
		{name: "token_revoke_json", line: "token  revoke  1f2e3d4c5b6a7988  --joined  --json"},
		{name: "member_list", line: "member  list"},
		{name: "member_list_json", line: "member  list  --json"},
		{name: "member_revoke", line: "member  revoke  mb1"},
		{name: "member_revoke_json", line: "member  revoke  anna  --role  operator  --json"},
		{name: "member_revoke_nobody", line: "member  revoke  nobody"},
		{name: "key_list", line: "key  list"},
		{name: "key_list_json", line: "key  list  --json"},
		{name: "key_list_spreading", line: "key  list", set: spreading},
		{name: "key_rotate", line: "key  rotate"},
		{name: "key_rotate_again", line: "key  rotate", set: spreading},
		{name: "key_rotate_json", line: "key  rotate  --json"},
		{name: "identity_show_none", line: "identity  show", set: func(_ *fake, w *testWorld) { w.env["MBCHAIN_IDENTITY"] = "/root/none.pem" }},
		{name: "identity_none", line: "host  list", set: func(_ *fake, w *testWorld) { w.env["MBCHAIN_IDENTITY"] = "/root/none.pem" }},
		{name: "identity_show", line: "identity  show", set: fixedCA},
		{name: "identity_show_json", line: "identity  show  --json", set: fixedCA},
		{name: "identity_join_no_name", line: "identity  join"},
		{name: "identity_join_host", line: "identity  join  --name  anna  --role  agent"},
		{name: "identity_join_no_token", line: "identity  join  --name  anna", set: func(_ *fake, w *testWorld) { w.brings("mbc1.too.short") }},
		{name: "identity_join_json", line: "identity  join  --name  anna  --json", set: func(f *fake, w *testWorld) {
			f.joinErr = connect.NewError(connect.CodeUnauthenticated, errors.New("token is not valid: it is used up"))
			token := labToken()
			token.CA = theCA().Fingerprint()
			w.brings(token.Text())
		}},
		{name: "identity_expired", line: "host  list", set: func(_ *fake, w *testWorld) {
			w.now = func() time.Time { return now.Add(8 * 24 * time.Hour) }
		}},
	}, func(*testWorld) {})
}

// fixedCA is one whose fingerprint is the same in every run.
func fixedCA(_ *fake, w *testWorld) {
	b := *w.identities[annasFile]
	ca := *b.CA
	ca.Raw = []byte("a CA")
	b.CA = &ca
	w.identities[annasFile] = &b
}

func TestIdentityJoin(t *testing.T) {
	w := newTestWorld(t, lab())
	w.identities = map[string]*identity.Bundle{}
	token := labToken()
	token.CA = theCA().Fingerprint()
	w.brings(token.Text())
	if code := w.run(t.Context(), []string{"identity", "join", "--name", "berta", "--role", "viewer"}); code != exitOK {
		t.Fatalf("exit status %d: %s", code, &w.err)
	}
	b := w.identities[annasFile]
	if b == nil || b.Subject().Name != "berta" || b.Subject().Role != identity.Viewer {
		t.Fatalf("identity %v", b)
	}
	if code := w.run(t.Context(), []string{"host", "list"}); code != exitOK {
		t.Errorf("exit status %d: %s", code, &w.err)
	}
}

// A token for one domain is not shown to another.
func TestIdentityJoinOfAnotherDomain(t *testing.T) {
	w := newTestWorld(t, lab())
	w.brings(labToken().Text())
	code := w.run(t.Context(), []string{"identity", "join", "--name", "anna"})
	if code != exitFailure || !strings.Contains(w.err.String(), "was the token made for another domain?") {
		t.Errorf("exit status %d: %s", code, &w.err)
	}
}

func TestIdentityIsRenewedWhenItIsUsed(t *testing.T) {
	f := lab()
	w := newTestWorld(t, f)
	old := certify(t, identity.Operator, "anna", now.Add(-identity.PersonLife/2))
	w.identities[annasFile] = old
	for range 2 {
		if code := w.run(t.Context(), []string{"host", "list"}); code != exitOK {
			t.Fatalf("exit status %d: %s", code, &w.err)
		}
	}
	if b := w.identities[annasFile]; b == old || f.renewed != 1 || !b.Leaf.NotAfter.After(old.Leaf.NotAfter) {
		t.Errorf("renewed %d times, valid to %v", f.renewed, b.Leaf.NotAfter)
	}
}

// What cannot be renewed serves as long as it lives.
func TestIdentityThatIsNotRenewedServes(t *testing.T) {
	f := lab()
	w := newTestWorld(t, f)
	w.identities[annasFile] = certify(t, identity.Operator, "anna", now.Add(-identity.PersonLife/2))
	w.save = func(string, *identity.Bundle) error { return errors.New("disk is full") }
	if code := w.run(t.Context(), []string{"host", "list"}); code != exitOK || !strings.Contains(w.err.String(), "certificate not renewed") {
		t.Errorf("exit status %d: %s", code, &w.err)
	}
}

// Another domain's policyd is not spoken to.
func TestForeignPolicydIsRefused(t *testing.T) {
	w := newTestWorld(t, lab())
	other, err := identity.NewCA(now)
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if w.identities[annasFile], err = other.IssueKey(key, identity.Subject{Role: identity.Operator, Name: "anna"}, nil, now); err != nil {
		t.Fatal(err)
	}
	code := w.run(t.Context(), []string{"host", "list"})
	if code != exitUnreachable || !strings.Contains(w.err.String(), "certificate") {
		t.Errorf("exit status %d: %s", code, &w.err)
	}
}

// Root on policyd's host needs neither options nor a certificate.
func TestSocketOfThisHostIsTaken(t *testing.T) {
	f := lab()
	w := newTestWorld(t, f)
	w.exists = func(path string) bool { return path == policydSocket }
	if code := w.run(t.Context(), []string{"host", "list"}); code != exitUnreachable {
		t.Errorf("exit status %d", code)
	}
	w.run(t.Context(), []string{"host", "list", "--policyd", "unix:/tmp/p.sock"})
	if len(f.asked) != 2 || f.asked[0] != "unix "+policydSocket || f.asked[1] != "unix /tmp/p.sock" {
		t.Errorf("asked %q", f.asked)
	}
}
