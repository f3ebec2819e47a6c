// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/identity/enroll"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/self"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// door is a policyd that asks everybody who he is, with TLS over pipes.
type door struct {
	t       *testing.T
	ca      *identity.CA
	cluster *memory
	server  *Server
	pipes   *pipes
	log     *buffer
	audit   *buffer
}

// buffer may be read while others write.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newCA(t *testing.T) *identity.CA {
	t.Helper()
	ca, err := identity.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// atDoor runs f with virtual time.
func atDoor(t *testing.T, f func(*testing.T, *door)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := &door{t: t, ca: newCA(t), cluster: &memory{fsm: store.NewFSM()}, pipes: newPipes(), log: &buffer{}, audit: &buffer{}}
		me, err := self.Open(dir, "policyd1")
		if err != nil {
			t.Fatal(err)
		}
		logger := slog.New(slog.NewTextHandler(d.log, nil))
		d.server = NewServer(Config{
			Cluster: d.cluster, Hub: push.NewHub(d.cluster, logger), Version: "test", Logger: logger,
			Self: me, Audit: slog.New(slog.NewJSONHandler(d.audit, nil)),
		})
		secret := make([]byte, store.SecretLen)
		d.apply(store.Command{SetUp: &store.SetUp{Seed: secret, Keys: []store.SetupKey{{ID: 1, Secret: secret}}}})
		text, err := d.ca.PEM()
		if err != nil {
			t.Fatal(err)
		}
		d.apply(store.Command{SetCA: &store.SetCA{PEM: text}})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- d.server.Serve(ctx, d.pipes, nil) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("serve: %v", err)
			}
		})
		f(t, d)
	})
}

func (d *door) apply(cmd store.Command) {
	d.t.Helper()
	r, err := d.cluster.Apply(d.t.Context(), cmd)
	if err != nil {
		d.t.Fatal(err)
	}
	d.server.Update(r.State)
}

// certify returns a certificate that nobody had to ask for.
func certify(t *testing.T, ca *identity.CA, role identity.Role, name string, addresses ...string) *identity.Bundle {
	t.Helper()
	return certifyAt(t, ca, time.Now(), role, name, addresses...)
}

func certifyAt(t *testing.T, ca *identity.CA, at time.Time, role identity.Role, name string, addresses ...string) *identity.Bundle {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var list []netip.Addr
	for _, a := range addresses {
		list = append(list, netip.MustParseAddr(a))
	}
	b, err := ca.IssueKey(key, identity.Subject{Role: role, Name: name, Epoch: 1}, list, at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// visitor is a client of the door.
type visitor struct {
	policy protoconnect.PolicyServiceClient
	domain protoconnect.DomainServiceClient
	agents protoconnect.AgentServiceClient
	who    protoconnect.IdentityServiceClient
}

// visit shows a certificate; nil: none.
func (d *door) visit(b *identity.Bundle) visitor {
	pin := identity.PinnedTLS(d.ca.Fingerprint(), time.Now, enroll.Protocols, func(tls.ConnectionState) {})
	if b != nil {
		cert := b.Certificate()
		pin.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	transport := &http.Transport{DialContext: d.pipes.dial, TLSClientConfig: pin, ForceAttemptHTTP2: true}
	d.t.Cleanup(transport.CloseIdleConnections)
	c := &http.Client{Transport: transport}
	const url = "https://policyd"
	return visitor{
		policy: protoconnect.NewPolicyServiceClient(c, url), domain: protoconnect.NewDomainServiceClient(c, url),
		agents: protoconnect.NewAgentServiceClient(c, url), who: protoconnect.NewIdentityServiceClient(c, url),
	}
}

// join joins with a token; the keys are drawn anew each time.
func (d *door) join(token identity.Token, s identity.Subject, addresses ...string) (*identity.Bundle, error) {
	d.t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		d.t.Fatal(err)
	}
	var list []netip.Addr
	for _, a := range addresses {
		list = append(list, netip.MustParseAddr(a))
	}
	request, err := identity.NewRequest(key, s, list)
	if err != nil {
		d.t.Fatal(err)
	}
	leaf, ca, err := enroll.Join(d.t.Context(), enroll.Server{Address: "policyd:7400", Dial: d.pipes.dial}, token, request)
	if err != nil {
		return nil, err
	}
	return identity.NewBundle(key, leaf, ca)
}

// token makes one, as an operator.
func (d *door) token(change func(*proto.CreateTokenRequest)) identity.Token {
	d.t.Helper()
	t := identity.NewToken()
	r := &proto.CreateTokenRequest{Role: "agent", Id: t.ID(), SecretHash: identity.HashSecret(t.Secret())}
	if change != nil {
		change(r)
	}
	answer, err := d.visit(certify(d.t, d.ca, identity.Operator, "anna")).who.CreateToken(d.t.Context(), r)
	if err != nil {
		d.t.Fatal(err)
	}
	copy(t.CA[:], answer.CaFingerprint)
	return t
}

// index says whether anything was changed.
func (d *door) index() uint64 {
	state, err := d.cluster.State()
	if err != nil {
		d.t.Fatal(err)
	}
	return state.Index
}

// wantRefused checks that a call was refused, and that it was counted and logged,
// and that nothing changed.
func (d *door) wantRefused(err error, code connect.Code, reason string, before uint64) {
	d.t.Helper()
	wantCode(d.t, err, code)
	if n := d.server.guard.counts()[reason]; n == 0 {
		d.t.Errorf("%s is not counted: %v", reason, d.server.guard.counts())
	}
	if !strings.Contains(d.log.String(), "reason="+reason) {
		d.t.Errorf("%s is not logged:\n%s", reason, d.log)
	}
	if now := d.index(); now != before {
		d.t.Errorf("the state changed: index %d, was %d", now, before)
	}
}

var hostMB1 = identity.Subject{Role: identity.Agent, Name: "mb1"}

func TestNewcomerJoinsAndSubscribes(t *testing.T) {
	atDoor(t, func(t *testing.T, d *door) {
		b, err := d.join(d.token(nil), hostMB1, "10.0.0.2")
		if err != nil {
			t.Fatal(err)
		}
		if b.Subject() != (identity.Subject{Role: identity.Agent, Name: "mb1", Epoch: 1}) {
			t.Errorf("subject %+v", b.Subject())
		}
		stream, err := d.visit(b).agents.Subscribe(t.Context(), &proto.SubscribeRequest{Host: "mb1", Addresses: []string{"10.0.0.2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		if !stream.Receive() {
			t.Error(stream.Err())
		}
	})
}

func TestTokensThatAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		token  func(*door) identity.Token
		who    identity.Subject
		reason string
	}{
		{"unknown", func(d *door) identity.Token {
			t := identity.NewToken()
			t.CA = d.ca.Fingerprint()
			return t
		}, hostMB1, "token"},
		{"used up", func(d *door) identity.Token {
			t := d.token(nil)
			if _, err := d.join(t, identity.Subject{Role: identity.Agent, Name: "mb9"}, "10.0.0.9"); err != nil {
				d.t.Fatal(err)
			}
			return t
		}, hostMB1, "token"},
		{"expired", func(d *door) identity.Token {
			t := d.token(func(r *proto.CreateTokenRequest) { r.TtlMs = 1000 })
			time.Sleep(time.Second)
			return t
		}, hostMB1, "token"},
		{"for another role", func(d *door) identity.Token {
			return d.token(func(r *proto.CreateTokenRequest) { r.Role = "viewer" })
		}, hostMB1, "token"},
		{"an agent's, for an operator", func(d *door) identity.Token { return d.token(nil) },
			identity.Subject{Role: identity.Operator, Name: "mb1"}, "token"},
		{"revoked", func(d *door) identity.Token {
			t := d.token(nil)
			if _, err := d.visit(certify(d.t, d.ca, identity.Operator, "anna")).who.RevokeToken(d.t.Context(), &proto.RevokeTokenRequest{Id: t.ID()}); err != nil {
				d.t.Fatal(err)
			}
			return t
		}, hostMB1, "token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			atDoor(t, func(t *testing.T, d *door) {
				token := tt.token(d)
				before := d.index()
				var addresses []string
				if tt.who.Role == identity.Agent {
					addresses = append(addresses, "10.0.0.2")
				}
				_, err := d.join(token, tt.who, addresses...)
				d.wantRefused(err, connect.CodeUnauthenticated, tt.reason, before)
				if strings.Contains(d.log.String()+d.audit.String(), token.Text()[22:54]) {
					t.Error("the token's secret is in a log")
				}
			})
		})
	}
}

// A token goes to who shows its CA, and to nobody else.
func TestTokenIsNotToldToAnotherDomain(t *testing.T) {
	atDoor(t, func(t *testing.T, d *door) {
		token := d.token(nil)
		token.CA = newCA(t).Fingerprint()
		if _, err := d.join(token, hostMB1, "10.0.0.2"); err == nil || !strings.Contains(err.Error(), "another domain") {
			t.Errorf("error %v", err)
		}
		if strings.Contains(d.audit.String(), "IdentityService/Join") {
			t.Error("the call reached the server")
		}
	})
}

func TestCertificatesThatAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		shows  func(*door) *identity.Bundle
		code   connect.Code
		reason string
	}{
		{"none", func(*door) *identity.Bundle { return nil }, connect.CodeUnauthenticated, "no_certificate"},
		{"foreign", func(d *door) *identity.Bundle { return certify(d.t, newCA(d.t), identity.Operator, "anna") }, connect.CodeUnauthenticated, "foreign"},
		{"expired", func(d *door) *identity.Bundle {
			return certifyAt(d.t, d.ca, time.Now().Add(-identity.PersonLife-time.Second), identity.Operator, "anna")
		}, connect.CodeUnauthenticated, "expired"},
		{"a viewer's", func(d *door) *identity.Bundle { return certify(d.t, d.ca, identity.Viewer, "anna") }, connect.CodePermissionDenied, "role"},
		{"a host's", func(d *door) *identity.Bundle { return certify(d.t, d.ca, identity.Agent, "mb1", "10.0.0.2") }, connect.CodePermissionDenied, "role"},
		{"a policy server's", func(d *door) *identity.Bundle { return certify(d.t, d.ca, identity.Policyd, "policyd2") }, connect.CodePermissionDenied, "role"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			atDoor(t, func(t *testing.T, d *door) {
				v := d.visit(tt.shows(d))
				before := d.index()
				_, err := v.policy.Apply(t.Context(), &proto.ApplyRequest{Source: onePolicy})
				d.wantRefused(err, tt.code, tt.reason, before)
				if !strings.Contains(d.audit.String(), `"what":"PolicyService/Apply"`) || !strings.Contains(d.audit.String(), `"result":"`+tt.code.String()) {
					t.Errorf("audit log:\n%s", d.audit)
				}
			})
		})
	}
}

func TestHostSpeaksForItselfAlone(t *testing.T) {
	atDoor(t, func(t *testing.T, d *door) {
		mb1 := d.visit(certify(t, d.ca, identity.Agent, "mb1", "10.0.0.2"))
		before := d.index()
		for name, r := range map[string]*proto.SubscribeRequest{
			"another name":    {Host: "mb2", Addresses: []string{"10.0.0.2"}},
			"another address": {Host: "mb1", Addresses: []string{"10.0.0.2", "10.0.0.3"}},
		} {
			stream, err := mb1.agents.Subscribe(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if stream.Receive() {
				t.Errorf("%s: pushed %v", name, stream.Msg())
			}
			wantCode(t, stream.Err(), connect.CodePermissionDenied)
			stream.Close()
		}
		_, err := mb1.agents.Acknowledge(t.Context(), &proto.AcknowledgeRequest{Host: "mb2"})
		wantCode(t, err, connect.CodePermissionDenied)
		_, err = mb1.agents.Answer(t.Context(), &proto.AnswerRequest{Host: "mb2"})
		wantCode(t, err, connect.CodePermissionDenied)
		_, err = mb1.agents.Ask(t.Context(), &proto.AskRequest{Host: "mb2", Session: make([]byte, 16), Want: &proto.AskRequest_Leave{}})
		wantCode(t, err, connect.CodePermissionDenied)
		d.wantRefused(err, connect.CodePermissionDenied, "role", before)
		if n := d.server.guard.counts()["role"]; n != 5 {
			t.Errorf("%d are counted, want 5", n)
		}
	})
}

func TestRevocationCutsLiveStreams(t *testing.T) {
	tests := []struct {
		name   string
		revoke func(*door, visitor, identity.Token) error
	}{
		{"of the host", func(d *door, op visitor, _ identity.Token) error {
			_, err := op.who.RevokeMember(d.t.Context(), &proto.RevokeMemberRequest{Role: "agent", Name: "mb1"})
			return err
		}},
		{"of its token", func(d *door, op visitor, token identity.Token) error {
			answer, err := op.who.RevokeToken(d.t.Context(), &proto.RevokeTokenRequest{Id: token.ID(), Joined: true})
			if len(answer.GetRevoked()) != 1 {
				d.t.Errorf("revoked %v", answer.GetRevoked())
			}
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			atDoor(t, func(t *testing.T, d *door) {
				token := d.token(nil)
				b, err := d.join(token, hostMB1, "10.0.0.2")
				if err != nil {
					t.Fatal(err)
				}
				mb1 := d.visit(b)
				register := &proto.SubscribeRequest{Host: "mb1", Addresses: []string{"10.0.0.2"}}
				stream, err := mb1.agents.Subscribe(t.Context(), register)
				if err != nil {
					t.Fatal(err)
				}
				defer stream.Close()
				if !stream.Receive() {
					t.Fatal(stream.Err())
				}
				began := time.Now()
				if err := tt.revoke(d, d.visit(certify(t, d.ca, identity.Operator, "anna")), token); err != nil {
					t.Fatal(err)
				}
				for stream.Receive() {
				}
				wantCode(t, stream.Err(), connect.CodeUnauthenticated)
				if took := time.Since(began); took > time.Second {
					t.Errorf("cut off after %v", took)
				}
				before := d.index()
				_, err = mb1.agents.Acknowledge(t.Context(), &proto.AcknowledgeRequest{Host: "mb1"})
				d.wantRefused(err, connect.CodeUnauthenticated, "revoked", before)
				request, err := identity.NewRequest(b.Key, hostMB1, b.Addresses())
				if err != nil {
					t.Fatal(err)
				}
				_, err = mb1.who.Renew(t.Context(), &proto.RenewRequest{Request: request})
				wantCode(t, err, connect.CodeUnauthenticated)
			})
		})
	}
}

func TestOtherHostsAreToldOfARevocation(t *testing.T) {
	atDoor(t, func(t *testing.T, d *door) {
		token := d.token(func(r *proto.CreateTokenRequest) { r.Uses = 2 })
		if _, err := d.join(token, hostMB1, "10.0.0.2"); err != nil {
			t.Fatal(err)
		}
		b, err := d.join(token, identity.Subject{Role: identity.Agent, Name: "mb2"}, "10.0.0.3")
		if err != nil {
			t.Fatal(err)
		}
		told := func(stream *connect.ServerStreamForClient[proto.Push]) string {
			for stream.Receive() {
				if list := stream.Msg().GetRevocations(); list != nil {
					return fmt.Sprint(list.Hosts[0].Name, list.Hosts[0].Epoch)
				}
			}
			return stream.Err().Error()
		}
		subscribe := func() *connect.ServerStreamForClient[proto.Push] {
			stream, err := d.visit(b).agents.Subscribe(t.Context(), &proto.SubscribeRequest{Host: "mb2", Addresses: []string{"10.0.0.3"}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { stream.Close() })
			if !stream.Receive() || stream.Msg().GetSubpolicy() == nil {
				t.Fatalf("first push %v, error %v", stream.Msg(), stream.Err())
			}
			return stream
		}
		stream := subscribe()
		_, err = d.visit(certify(t, d.ca, identity.Operator, "anna")).who.RevokeMember(t.Context(), &proto.RevokeMemberRequest{Role: "agent", Name: "mb1"})
		if err != nil {
			t.Fatal(err)
		}
		if got := told(stream); got != "mb12" {
			t.Errorf("told %s, want epoch 2 of mb1", got)
		}
		if got := told(subscribe()); got != "mb12" { // who was away
			t.Errorf("told %s later, want epoch 2 of mb1", got)
		}
	})
}

func TestStreamEndsWithItsCertificate(t *testing.T) {
	atDoor(t, func(t *testing.T, d *door) {
		b := certifyAt(t, d.ca, time.Now().Add(time.Minute-identity.DaemonLife), identity.Agent, "mb1", "10.0.0.2")
		stream, err := d.visit(b).agents.Subscribe(t.Context(), &proto.SubscribeRequest{Host: "mb1", Addresses: []string{"10.0.0.2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		for stream.Receive() {
		}
		wantCode(t, stream.Err(), connect.CodeUnauthenticated)
		if over := time.Since(b.Leaf.NotAfter); over < 0 || over > time.Minute {
			t.Errorf("cut off %v after its end", over)
		}
	})
}

func TestRenewalKeepsNameAndChangesAddresses(t *testing.T) {
	atDoor(t, func(t *testing.T, d *door) {
		many := d.token(func(r *proto.CreateTokenRequest) { r.Uses = 2 })
		b, err := d.join(many, hostMB1, "10.0.0.2")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.join(many, identity.Subject{Role: identity.Agent, Name: "mb2"}, "10.0.0.3"); err != nil {
			t.Fatal(err)
		}
		renew := func(s identity.Subject, addresses ...string) error {
			var list []netip.Addr
			for _, a := range addresses {
				list = append(list, netip.MustParseAddr(a))
			}
			request, err := identity.NewRequest(b.Key, s, list)
			if err != nil {
				t.Fatal(err)
			}
			leaf, _, err := enroll.Renew(t.Context(), enroll.Server{Address: "policyd:7400", Dial: d.pipes.dial}, identity.Fixed(b), request)
			if err == nil && len(identity.AddressesOf(leaf)) != len(addresses) {
				t.Errorf("addresses %v", identity.AddressesOf(leaf))
			}
			return err
		}
		if err := renew(hostMB1, "10.0.0.2", "fd00::2"); err != nil {
			t.Error(err)
		}
		wantCode(t, renew(hostMB1, "10.0.0.3"), connect.CodeAlreadyExists)
		wantCode(t, renew(identity.Subject{Role: identity.Agent, Name: "mb2"}, "10.0.0.2"), connect.CodePermissionDenied)
		wantCode(t, renew(identity.Subject{Role: identity.Operator, Name: "mb1"}), connect.CodePermissionDenied)
	})
}

func TestHostileJoins(t *testing.T) {
	atDoor(t, func(t *testing.T, d *door) {
		token, v := d.token(nil), d.visit(nil)
		key, err := identity.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		good, err := identity.NewRequest(key, hostMB1, []netip.Addr{netip.MustParseAddr("10.0.0.2")})
		if err != nil {
			t.Fatal(err)
		}
		altered := bytes.Replace(good, []byte("mb1"), []byte("mb2"), 1)
		tests := []struct {
			name    string
			request *proto.JoinRequest
			code    connect.Code
		}{
			{"empty", &proto.JoinRequest{}, connect.CodeInvalidArgument},
			{"altered request", &proto.JoinRequest{TokenId: token.ID(), Secret: token.Secret(), Request: altered}, connect.CodeInvalidArgument},
			{"no secret", &proto.JoinRequest{TokenId: token.ID(), Request: good}, connect.CodeUnauthenticated},
			{"long request", &proto.JoinRequest{TokenId: token.ID(), Request: make([]byte, identity.MaxRequest+1)}, connect.CodeInvalidArgument},
			{"oversized", &proto.JoinRequest{TokenId: token.ID(), Request: make([]byte, maxIdentityRequest)}, connect.CodeResourceExhausted},
		}
		before := d.index()
		for _, tt := range tests {
			_, err := v.who.Join(t.Context(), tt.request)
			if connect.CodeOf(err) != tt.code {
				t.Errorf("%s: error %v, want code %v", tt.name, err, tt.code)
			}
		}
		if d.index() != before {
			t.Error("the state changed")
		}
		// The right one, and the same again by who listened to it: he gets a
		// certificate for a key that he has not, and the token is used once.
		for range 2 {
			if _, err := v.who.Join(t.Context(), &proto.JoinRequest{TokenId: token.ID(), Secret: token.Secret(), Request: good}); err != nil {
				t.Fatal(err)
			}
		}
		if d.index() != before+1 {
			t.Errorf("index %d, was %d", d.index(), before)
		}
	})
}

// Who connects and says nothing, or nonsense, is cut off before anything else.
func TestSilentPeerIsCutOff(t *testing.T) {
	for name, says := range map[string]string{"nothing": "", "plain HTTP": "GET / HTTP/1.1\r\nHost: p\r\n\r\n", "half a record": "\x16\x03\x01\x40\x00"} {
		t.Run(name, func(t *testing.T) {
			atDoor(t, func(t *testing.T, d *door) {
				began := time.Now()
				c, err := d.pipes.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				go func() { _, _ = c.Write([]byte(says)) }()
				var got bytes.Buffer
				if _, err := got.ReadFrom(c); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > readHeaderTimeout+time.Second {
					t.Errorf("cut off after %v", took)
				}
			})
		})
	}
}

func TestEveryChangeIsAudited(t *testing.T) {
	atDoor(t, func(t *testing.T, d *door) {
		op := d.visit(certify(t, d.ca, identity.Operator, "anna"))
		if _, err := op.policy.Apply(t.Context(), &proto.ApplyRequest{Source: onePolicy}); err != nil {
			t.Fatal(err)
		}
		if _, err := op.policy.Apply(t.Context(), &proto.ApplyRequest{Source: "nonsense"}); err == nil {
			t.Fatal("nonsense was applied")
		}
		if _, err := op.policy.Get(t.Context(), &proto.GetRequest{}); err != nil {
			t.Fatal(err)
		}
		type line struct {
			Msg, What, Role, Name, From, Result string
			Version                             uint64 `json:"policy_version"`
		}
		var lines []line
		for text := range strings.Lines(d.audit.String()) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatal(err)
			}
			if l.From == "" {
				t.Errorf("from nowhere: %s", text)
			}
			l.From = ""
			lines = append(lines, l)
		}
		want := []line{
			{Msg: "change", What: "PolicyService/Apply", Role: "operator", Name: "anna", Result: "done", Version: 1},
			{Msg: "change", What: "PolicyService/Apply", Role: "operator", Name: "anna", Result: "invalid_argument"},
		}
		if len(lines) != 2 || lines[0] != want[0] || lines[1] != want[1] {
			t.Errorf("audit log %+v, want %+v", lines, want)
		}
	})
}

// Who can reach the port can be refused as often as he likes, and fills no disk.
func TestRefusalsOfStrangersAreCountedAndSeldomWritten(t *testing.T) {
	atDoor(t, func(t *testing.T, d *door) {
		stranger := d.visit(nil)
		const times = 100
		for range times {
			_, err := stranger.policy.Apply(t.Context(), &proto.ApplyRequest{Source: onePolicy})
			wantCode(t, err, connect.CodeUnauthenticated)
		}
		if n := d.server.guard.counts()["no_certificate"]; n != times {
			t.Errorf("%d are counted, want %d", n, times)
		}
		if n := strings.Count(d.log.String(), "call refused"); n != 1 {
			t.Errorf("%d are logged in one moment", n)
		}
		if n := strings.Count(d.audit.String(), "\n"); n != 1 {
			t.Errorf("%d are in the audit log in one moment", n)
		}
	})
}

func TestKeysRotateWithTheHostsThatAreThere(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		who := protoconnect.NewIdentityServiceClient(b.http, "http://policyd")
		a := b.subscribe("client", "10.0.0.1")
		keys := func(want ...uint32) {
			t.Helper()
			p := a.subpolicy(0)
			var got []uint32
			for _, k := range p.GetSubpolicy().Keys {
				got = append(got, k.Id)
			}
			if len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
				t.Fatalf("keys %v, want %v", got, want)
			}
			a.acknowledge(p, 0, "")
		}
		keys(1)
		r, err := who.RotateKey(t.Context(), &proto.RotateKeyRequest{})
		if err != nil || r.Id != 2 || r.Unchanged {
			t.Fatalf("answer %v, error %v", r, err)
		}
		if r, err := who.RotateKey(t.Context(), &proto.RotateKeyRequest{}); err != nil || !r.Unchanged || r.Id != 2 {
			t.Errorf("a second time: %v, error %v", r, err)
		}
		time.Sleep(10 * time.Second)
		list, err := who.ListKeys(t.Context(), &proto.ListKeysRequest{})
		if err != nil || list.Step != "spreading" || len(list.Waiting) != 1 || list.Waiting[0] != "client" {
			t.Errorf("before the host answers: %v, error %v", list, err)
		}
		keys(1, 2)
		keys(2, 1)
		keys(2)
	})
}
