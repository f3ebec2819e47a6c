// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/identity"
)

func setNode(name, address string) Command {
	return Command{SetNode: &SetNode{Node: Node{Name: name, Address: address}}}
}

// addToken adds a token of a role, for one name alone.
func addToken(id byte, role, name string, expires, now int64) Command {
	return Command{AddToken: &AddToken{Token: Token{ID: tokenID(id), Hash: hashOf(id), Role: role, Name: name, Uses: 1,
		ExpiresUnixMS: expires, CreatedBy: "operator root", CreatedUnixMS: now}}}
}

func numbered(cmd Command, number byte) Command {
	cmd.Request = bytes.Repeat([]byte{number}, RequestLen)
	return cmd
}

// after applies commands to s, each of which must be accepted.
func after(t *testing.T, s *State, cmds ...Command) *State {
	t.Helper()
	for _, cmd := range cmds {
		next, err := s.Apply(s.Index+1, cmd)
		if err != nil {
			t.Fatal(err)
		}
		s = next
	}
	return s
}

func TestNodesComeAndGo(t *testing.T) {
	s := after(t, &State{}, setNode("p2", "b:1"), setNode("p1", "a:1"), setNode("p3", "c:1"), setNode("p2", "b:2"),
		addToken('1', "policyd", "p2", 9, 0), addToken('2', "policyd", "p4", 9, 0), addToken('3', "agent", "p2", 9, 0))
	want := []Node{{"p1", "a:1"}, {"p2", "b:2"}, {"p3", "c:1"}}
	if diff := cmp.Diff(want, s.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if same := after(t, s, setNode("p2", "b:2")); same != s {
		t.Error("the same node again changed the state")
	}
	s = after(t, s, Command{RemoveNode: &RemoveNode{Name: "p2"}})
	_, known := s.Node("p2")
	if _, good := s.findToken(tokenID('1')); known || good {
		t.Error("a removed node is known yet, or its token still good")
	}
	if len(s.Tokens) != 2 {
		t.Errorf("tokens %+v, want those of others", s.Tokens)
	}
	if same := after(t, s, Command{RemoveNode: &RemoveNode{Name: "p2"}}); same != s {
		t.Error("a node that is not there was removed")
	}
	for i := range MaxNodes - len(s.Nodes) {
		s = after(t, s, setNode(fmt.Sprintf("q%02d", i), "a:1"))
	}
	if _, err := s.Apply(99, setNode("z", "a:1")); !errors.Is(err, ErrFull) {
		t.Errorf("error %v, want %v", err, ErrFull)
	}
}

// A client whose answer was lost repeats its request, perhaps after another
// client's: a policy once came into force twice that way.
func TestRepeatedRequestIsAppliedOnce(t *testing.T) {
	f := NewFSM()
	index := uint64(0)
	apply := func(cmd Command) Result {
		t.Helper()
		index++
		return f.Apply(entry(t, index, cmd)).(Result)
	}
	first := apply(numbered(setPolicy("a"), 1))
	apply(numbered(setPolicy("b"), 2))
	again := apply(numbered(setPolicy("a"), 1))
	if first.PolicyVersion != 1 || again.PolicyVersion != 1 || !again.Changed || again.Err != nil {
		t.Errorf("first %+v, again %+v, want version 1 twice", first, again)
	}
	if s, _ := f.State(); s.Policy.Version != 2 || s.Policy.Source != "b" {
		t.Errorf("policy %+v, want version 2", s.Policy)
	}
	// What was refused or changed nothing is no request that was done.
	apply(numbered(setPolicy("c", 9), 3))
	apply(numbered(setPolicy("b"), 4))
	if s, _ := f.State(); len(s.Requests) != 2 {
		t.Errorf("%d requests are remembered, want 2", len(s.Requests))
	}
}

func TestRequestsAreBounded(t *testing.T) {
	s := &State{}
	for i := range uint32(MaxRequests + 10) {
		cmd := setPolicy(fmt.Sprint(i))
		cmd.Request = binary.BigEndian.AppendUint32(make([]byte, RequestLen-4), i)
		s = after(t, s, cmd)
	}
	if len(s.Requests) != MaxRequests || s.Requests[0].PolicyVersion != 11 {
		t.Errorf("%d requests, the oldest %+v", len(s.Requests), s.Requests[0])
	}
	if err := s.check(); err != nil {
		t.Error(err)
	}
}

func TestRestore(t *testing.T) {
	old := after(t, &State{}, setUp(1), setPolicy("a"), setHost(host("mb1", "10.0.0.1")), setNode("old", "x:1"))
	restore := Command{Restore: &Restore{State: old}}

	fresh := after(t, &State{}, setUp(7), setNode("new", "y:1"), restore)
	if !bytes.Equal(fresh.Seed, old.Seed) || fresh.Policy != old.Policy || len(fresh.Hosts) != 1 {
		t.Errorf("restored into a new cluster: %+v", fresh)
	}
	if diff := cmp.Diff([]Node{{"new", "y:1"}}, fresh.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}

	// Version 2 names the text "b" for ever.
	grown := after(t, old, setPolicy("b"), restore)
	if grown.Policy.Version != 3 || grown.Policy.Source != "a" {
		t.Errorf("policy %+v, want version 3 with the older text", grown.Policy)
	}
	if got := grown.History; len(got) != 2 || got[0].Source != "b" || got[1].Source != "a" {
		t.Errorf("history %+v, want this cluster's own", got)
	}
	if err := grown.check(); err != nil {
		t.Error(err)
	}
	if again := after(t, grown, restore); again.Policy != grown.Policy {
		t.Errorf("policy %+v after the same again, want %+v", again.Policy, grown.Policy)
	}
}

// Whoever was revoked since a snapshot was taken stays so when it is restored.
func TestRestoreForgivesNobody(t *testing.T) {
	ca := func() Command {
		made, err := identity.NewCA(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		text, err := made.PEM()
		if err != nil {
			t.Fatal(err)
		}
		return Command{SetCA: &SetCA{PEM: text}}
	}
	old := after(t, &State{}, setUp(1), ca(), Command{AddToken: &AddToken{Token: token()}},
		Command{Admit: admit("mb1", 1, "10.0.0.1")}, Command{Admit: admit("mb2", 2, "10.0.0.2")},
		setHost(host("mb1", "10.0.0.1")), setHost(host("mb2", "10.0.0.2")))
	restore := Command{Restore: &Restore{State: old, NowUnixMS: 7}}
	later := after(t, old, Command{Revoke: &Revoke{Role: "agent", Name: "mb1", NowUnixMS: 5}},
		Command{SetKeys: &SetKeys{Keys: []SetupKey{{ID: 2, Secret: secret(9)}}, NowUnixMS: 6}}, restore)
	if m, _ := later.Member("agent", "mb1"); !m.Revoked {
		t.Errorf("mb1 is %+v, want it revoked", m)
	}
	if _, known := later.Host("mb1"); known {
		t.Error("a host that was revoked came back")
	}
	if _, known := later.Host("mb2"); !known || len(later.Tokens) != 1 {
		t.Errorf("hosts %+v, tokens %+v", later.Hosts, later.Tokens)
	}
	if later.Keys[0].ID != 1 || later.KeysIndex != later.Index || later.KeysUnixMS != 7 {
		t.Errorf("keys %+v as of index %d, time %d", later.Keys, later.KeysIndex, later.KeysUnixMS)
	}

	// Another domain's: its CA comes with those whom it knows, and no token of here.
	other := after(t, &State{}, setUp(3), ca(), Command{AddToken: &AddToken{Token: token()}}, restore)
	if _, known := other.Member("agent", "mb1"); !known || !bytes.Equal(other.CA, old.CA) || len(other.Tokens) != 0 {
		t.Errorf("members %+v, tokens %+v", other.Members, other.Tokens)
	}
	if err := errors.Join(later.check(), other.check()); err != nil {
		t.Error(err)
	}
}

func TestSnapshotRefusesWhatCommandsCannotMake(t *testing.T) {
	tests := []struct{ name, state, want string }{
		{"nodes out of order", `"nodes":[{"name":"b","address":"x:1"},{"name":"a","address":"x:1"}]`, "out of order"},
		{"node without port", `"nodes":[{"name":"b","address":"x"}]`, "address"},
		{"short request", `"requests":[{"id":"AQ==","policy_version":1}]`, "request of 1 bytes"},
		{"one address for two hosts", `"hosts":[{"name":"a","addresses":["10.0.0.1"]},{"name":"b","addresses":["10.0.0.1"]}]`, "a and b have"},
		{"version near its end", `"seed":"","policy":{"version":18446744073709551615}`, "policy version 1844"},
		{"short token", `"tokens":[{"id":"0102030405060708","hash":"AQ==","role":"agent","uses":1,"expires_unix_ms":1,"created_by":"","created_unix_ms":0}]`, "1 bytes"},
	}
	for _, tt := range tests {
		in := `{"version":2,"state":{"index":1,"policy":{"version":0},` + tt.state + `}}`
		if _, err := ReadSnapshot(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that says %q", tt.name, err, tt.want)
		}
	}
	const older = `{"version":1,"state":{"index":1,"policy":{"version":0}}}`
	if _, err := ReadSnapshot(strings.NewReader(older)); err == nil || !strings.Contains(err.Error(), "this program knows 2") {
		t.Errorf("a snapshot of version 1: %v", err)
	}
}
