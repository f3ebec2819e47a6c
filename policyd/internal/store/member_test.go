// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/identity"
)

var sameAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

const hour = int64(3600_000)

func hashOf(b byte) []byte { return bytes.Repeat([]byte{b}, identity.HashLen) }

func tokenID(b byte) string { return strings.Repeat(string([]byte{'0', b}), 8) }

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// token is for agents, may be used twice, and lives an hour.
func token() Token {
	return Token{ID: tokenID('1'), Hash: hashOf(1), Role: "agent", Uses: 2, ExpiresUnixMS: hour}
}

func admit(name string, key byte, addresses ...string) *Admit {
	return &Admit{Role: "agent", Name: name, Addresses: addrs(addresses...), Key: hashOf(key),
		TokenID: tokenID('1'), Hash: hashOf(1), NowUnixMS: 1000}
}

// play applies commands, of which all but the last must be taken.
func play(t *testing.T, cmds ...Command) (*State, error) {
	t.Helper()
	s := &State{}
	for i, cmd := range cmds {
		if err := cmd.check(); err != nil {
			t.Fatalf("command %d: %v", i, err)
		}
		next, err := s.Apply(uint64(i+1), cmd)
		if i == len(cmds)-1 {
			return next, err
		}
		if err != nil {
			t.Fatalf("command %d: %v", i, err)
		}
		s = next
	}
	return s, nil
}

func TestTokenAdmits(t *testing.T) {
	with := func(change func(*Token)) Command {
		tok := token()
		if change != nil {
			change(&tok)
		}
		return Command{AddToken: &AddToken{tok}}
	}
	other := func(change func(*Admit)) Command {
		a := admit("mb1", 1, "10.0.0.2")
		change(a)
		return Command{Admit: a}
	}
	mb1 := Command{Admit: admit("mb1", 1, "10.0.0.2")}
	tests := []struct {
		name string
		cmds []Command
		want error  // nil: admitted
		says string // in the error
	}{
		{"the right one", []Command{with(nil), mb1}, nil, ""},
		{"no token", []Command{mb1}, ErrToken, "nobody knows it"},
		{"another secret", []Command{with(nil), other(func(a *Admit) { a.Hash = hashOf(2) })}, ErrToken, "nobody knows it"},
		{"revoked token", []Command{with(nil), {DropToken: &DropToken{ID: tokenID('1')}}, mb1}, ErrToken, "nobody knows it"},
		{"expired token", []Command{with(nil), other(func(a *Admit) { a.NowUnixMS = hour })}, ErrToken, "time is over"},
		{"used up", []Command{with(nil), mb1, {Admit: admit("mb2", 2, "10.0.0.3")}, {Admit: admit("mb3", 3, "10.0.0.4")}}, ErrToken, "used up"},
		{"for another role", []Command{with(func(t *Token) { t.Role = "viewer" }), mb1}, ErrToken, "role viewer, not agent"},
		{"for another name", []Command{with(func(t *Token) { t.Name = "mb2" }), mb1}, ErrToken, "name mb2, not mb1"},
		{"name of another", []Command{with(nil), mb1, {Admit: admit("mb1", 2, "10.0.0.2")}}, ErrNameTaken, "mbctl token create --role agent --name mb1"},
		{"address of another", []Command{with(nil), mb1, {Admit: admit("mb2", 2, "10.0.0.2")}}, ErrAddressTaken, "mbctl member revoke --role agent mb1"},
		{"again, with a token for the name", []Command{with(func(t *Token) { t.Name = "mb1" }), mb1, {Admit: admit("mb1", 2, "10.0.0.2")}}, nil, ""},
		{"again, after it was revoked", []Command{with(nil), mb1, {Revoke: &Revoke{Role: "agent", Name: "mb1"}}, {Admit: admit("mb1", 2, "10.0.0.2")}}, nil, ""},
		{"the same once more, after it was used up", []Command{with(func(t *Token) { t.Uses = 1 }), mb1, mb1}, nil, ""},
		{"the same once more, after it was revoked", []Command{with(func(t *Token) { t.Uses = 1 }), mb1, {Revoke: &Revoke{Role: "agent", Name: "mb1"}}, mb1}, ErrToken, "used up"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := play(t, append(tt.cmds[:len(tt.cmds)-1:len(tt.cmds)-1], Command{SetPolicy: &SetPolicy{Source: "x"}})...)
			s, err := play(t, tt.cmds...)
			if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("error %v, want %v saying %q", err, tt.want, tt.says)
			}
			if err != nil && cmp.Diff(before.Members, s.Members, sameAddrs) != "" {
				t.Error("something changed")
			}
			if m, known := s.Member("agent", "mb1"); err == nil && (!known || m.Revoked) {
				t.Errorf("member %+v, known %t", m, known)
			}
		})
	}
}

func TestRevokedAndReplacedCertificatesAreNotValid(t *testing.T) {
	mb1 := identity.Subject{Role: identity.Agent, Name: "mb1", Epoch: 1}
	tok := token()
	tok.Name = "mb1"
	first, _ := play(t, Command{AddToken: &AddToken{tok}}, Command{Admit: admit("mb1", 1, "10.0.0.2")})
	if err := first.Valid(mb1); err != nil {
		t.Error(err)
	}
	again, err := first.Apply(9, Command{Admit: admit("mb1", 2, "10.0.0.2")})
	if err != nil {
		t.Fatal(err)
	}
	revoked, err := first.Apply(9, Command{Revoke: &Revoke{Role: "agent", Name: "mb1"}})
	if err != nil {
		t.Fatal(err)
	}
	byToken, err := first.Apply(9, Command{DropToken: &DropToken{ID: tokenID('1'), Joined: true}})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*State{"joined again": again, "revoked": revoked, "with its token": byToken} {
		if err := s.Valid(mb1); !errors.Is(err, identity.ErrRevoked) {
			t.Errorf("%s: %v", name, err)
		}
	}
	mb1.Epoch = 2
	if err := again.Valid(mb1); err != nil {
		t.Errorf("the new one: %v", err)
	}
}

func TestRevokedHostIsForgotten(t *testing.T) {
	host := &SetHost{Host: Host{Name: "mb1", Addresses: addrs("10.0.0.2")}}
	s, err := play(t, Command{AddToken: &AddToken{token()}}, Command{Admit: admit("mb1", 1, "10.0.0.2")},
		Command{SetHost: host}, Command{Revoke: &Revoke{Role: "agent", Name: "mb1"}})
	if err != nil || len(s.Hosts) != 0 {
		t.Errorf("hosts %v, error %v", s.Hosts, err)
	}
	if _, err := s.Apply(9, Command{Revoke: &Revoke{Role: "agent", Name: "mb2"}}); !errors.Is(err, ErrUnknown) {
		t.Errorf("revoke a stranger: %v", err)
	}
}

func TestReaddress(t *testing.T) {
	s, _ := play(t, Command{AddToken: &AddToken{token()}}, Command{Admit: admit("mb1", 1, "10.0.0.2")}, Command{Admit: admit("mb2", 2, "10.0.0.3")})
	move := func(epoch uint32, to string) error {
		_, err := s.Apply(9, Command{Readdress: &Readdress{Role: "agent", Name: "mb1", Epoch: epoch, Addresses: addrs(to)}})
		return err
	}
	if err := move(1, "10.0.0.9"); err != nil {
		t.Error(err)
	}
	if err := move(1, "10.0.0.3"); !errors.Is(err, ErrAddressTaken) {
		t.Errorf("to the address of another: %v", err)
	}
	if err := move(0, "10.0.0.9"); !errors.Is(err, identity.ErrRevoked) {
		t.Errorf("with an old certificate: %v", err)
	}
}

// Names that were revoked long ago make room; others do not.
func TestMembersAreBounded(t *testing.T) {
	tok := token()
	tok.ExpiresUnixMS = 1000 * hour
	s := &State{Tokens: []Token{tok}}
	for i := range MaxMembers {
		s.Members = append(s.Members, Member{Role: "agent", Name: fmt.Sprintf("a%05d", i), Epoch: 2, Key: hashOf(1), Revoked: true, RevokedUnixMS: hour})
	}
	late := admit("mb1", 1, "10.0.0.2")
	late.NowUnixMS = 2 * hour
	if _, err := s.Apply(1, Command{Admit: late}); !errors.Is(err, ErrFull) {
		t.Errorf("an hour later: %v", err)
	}
	late.NowUnixMS += identity.PersonLife.Milliseconds()
	next, err := s.Apply(1, Command{Admit: late})
	if err != nil || len(next.Members) != 1 {
		t.Errorf("a week later: %d members, error %v", len(next.Members), err)
	}
}

func TestTokensAreBounded(t *testing.T) {
	s := &State{}
	for i := range MaxTokens + 1 {
		tok := token()
		tok.ID = strings.ToLower(strings.Repeat("0", 12) + string([]byte{"0123456789abcdef"[i>>12&15], "0123456789abcdef"[i>>8&15], "0123456789abcdef"[i>>4&15], "0123456789abcdef"[i&15]}))
		next, err := s.Apply(uint64(i+1), Command{AddToken: &AddToken{tok}})
		if full := i == MaxTokens; full != errors.Is(err, ErrFull) {
			t.Fatalf("token %d: %v", i, err)
		}
		s = next
	}
	late := token()
	late.CreatedUnixMS, late.ExpiresUnixMS = hour, 2*hour
	next, err := s.Apply(5000, Command{AddToken: &AddToken{late}})
	if err != nil || len(next.Tokens) != 1 {
		t.Errorf("after all others expired: %d tokens, error %v", len(next.Tokens), err)
	}
}

func TestStateWithItsMembersSurvivesASnapshot(t *testing.T) {
	ca, err := identity.NewCA(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	text, err := ca.PEM()
	if err != nil {
		t.Fatal(err)
	}
	secret := make([]byte, SecretLen)
	s, err := play(t, Command{SetUp: &SetUp{Seed: secret, Keys: []SetupKey{{ID: 1, Secret: secret}}}}, Command{SetCA: &SetCA{text}}, Command{AddToken: &AddToken{token()}},
		Command{Admit: admit("mb1", 1, "10.0.0.2")}, Command{SetKeys: &SetKeys{Keys: []SetupKey{{ID: 2, Secret: make([]byte, SecretLen)}}}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteSnapshot(&b, s); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSnapshot(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, got, sameAddrs); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	restored, err := identity.ParseCA(got.CA)
	if err != nil || restored.Fingerprint() != ca.Fingerprint() {
		t.Errorf("restored CA: %v", err)
	}
}

func TestKeysAreComparedAndSet(t *testing.T) {
	key := func(id uint32) SetupKey { return SetupKey{ID: id, Secret: bytes.Repeat([]byte{byte(id)}, SecretLen)} }
	first := SetKeys{Keys: []SetupKey{key(1), key(2)}, NowUnixMS: 5}
	if s, err := play(t, Command{SetKeys: &first}); !errors.Is(err, ErrVersion) || s.IsSetUp() {
		t.Errorf("keys of a state without: %+v, error %v", s, err)
	}
	s, err := play(t, setUp(1), Command{SetKeys: &first})
	if err != nil || s.KeysIndex != 2 || s.KeysUnixMS != 5 {
		t.Fatalf("state %+v, error %v", s, err)
	}
	if next, err := s.Apply(3, Command{SetKeys: &first}); err != nil || next != s {
		t.Errorf("the same again: %v", err)
	}
	late := SetKeys{Keys: []SetupKey{key(3)}}
	if _, err := s.Apply(3, Command{SetKeys: &late}); !errors.Is(err, ErrVersion) {
		t.Errorf("of who saw older keys: %v", err)
	}
	for _, keys := range [][]SetupKey{nil, {key(1), key(2), key(3)}, {key(1), key(1)}, {{ID: 1}}} {
		if err := (Command{SetKeys: &SetKeys{Keys: keys}}).check(); err == nil {
			t.Errorf("keys %v are taken", keys)
		}
	}
}
