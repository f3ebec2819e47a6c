// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mbchain/chain"
	"mbchain/policy"
)

// The path to a server that runs no mbchain ends before it, and is refused where
// it would come back.
func TestBuildPathToOutsider(t *testing.T) {
	p := mustParse(t, `type a { 10.0.0.2 }; type b { 10.0.0.3 }; type server { 10.0.0.9 }`)
	a, b, server := p.Types[0], p.Types[1], p.Types[2]
	super := mustTuple(t, "10.0.0.1:40000 > 10.0.0.9:80 tcp")
	for _, tt := range []struct {
		types []*policy.Type
		want  string
	}{
		{[]*policy.Type{a, b}, "[10.0.0.2 10.0.0.3] <nil>"},
		{[]*policy.Type{a, server}, "[10.0.0.2 10.0.0.9] <nil>"},
		{nil, "[] <nil>"},
		{[]*policy.Type{server, a}, "[] the path comes back to 10.0.0.9, the server"},
	} {
		hops, err := policy.BuildPath(policy.Seed{}, tt.types, super, false)
		if got := fmt.Sprint(hops, " ", err); got != tt.want {
			t.Errorf("path through %d types is %s, want %s", len(tt.types), got, tt.want)
		}
	}
}

func TestBuildPath(t *testing.T) {
	p := mustParse(t, `
		type client { 10.0.0.1 }
		type a { 10.0.0.2 }
		type b { 10.0.0.3 }
		type alsoA { 10.0.0.2 }
		type server { 10.0.0.9 }`)
	types := map[string]*policy.Type{}
	for _, nf := range p.Types {
		types[nf.Name] = nf
	}
	tests := []struct {
		name     string
		chain    []string
		server   string
		want     []string
		wantLoop *policy.LoopError
	}{
		{"empty chain", nil, "10.0.0.9", []string{"10.0.0.9"}, nil},
		{"two hosts", []string{"a", "b"}, "10.0.0.9", []string{"10.0.0.2", "10.0.0.3", "10.0.0.9"}, nil},
		{"neighbours on one host", []string{"a", "alsoA", "b", "b"}, "10.0.0.9", []string{"10.0.0.2", "10.0.0.3", "10.0.0.9"}, nil},
		{"last instance on the server", []string{"a", "server"}, "10.0.0.9", []string{"10.0.0.2", "10.0.0.9"}, nil},
		{"only instance on the server", []string{"server"}, "10.0.0.9", []string{"10.0.0.9"}, nil},
		{"host visited twice", []string{"a", "b", "alsoA"}, "10.0.0.9", nil, &policy.LoopError{Host: netip.MustParseAddr("10.0.0.2"), Type: "alsoA"}},
		{"server visited on the way", []string{"server", "a"}, "10.0.0.9", nil, &policy.LoopError{Host: netip.MustParseAddr("10.0.0.9")}},
		{"instance on the client", []string{"client"}, "10.0.0.9", nil, &policy.LoopError{Host: netip.MustParseAddr("10.0.0.1"), Type: "client"}},
		{"client later on", []string{"a", "client"}, "10.0.0.9", nil, &policy.LoopError{Host: netip.MustParseAddr("10.0.0.1"), Type: "client"}},
		{"server is the client", []string{"a"}, "10.0.0.1", nil, &policy.LoopError{Host: netip.MustParseAddr("10.0.0.1")}},
		{"server is the client, empty chain", nil, "10.0.0.1", nil, &policy.LoopError{Host: netip.MustParseAddr("10.0.0.1")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var nfs []*policy.Type
			for _, name := range tt.chain {
				nfs = append(nfs, types[name])
			}
			hops, err := policy.BuildPath(policy.Seed{}, nfs, mustTuple(t, "10.0.0.1:40000 > "+tt.server+":80 tcp"), true)
			var got []string
			for _, h := range hops {
				got = append(got, h.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("hops (-want +got):\n%s", diff)
			}
			var gotLoop *policy.LoopError
			errors.As(err, &gotLoop)
			if diff := cmp.Diff(tt.wantLoop, gotLoop, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("loop (-want +got):\n%s", diff)
			}
		})
	}
}

// A path is of the session's family: the same chain gives the hosts' addresses
// of it, and none where a type has none.
func TestBuildPathOfEachFamily(t *testing.T) {
	p := mustParse(t, `
		type client { 10.0.0.1 fd00::1 }
		type a { fd00::2 10.0.0.2 }
		type b { 10.0.0.3, fd00::33 }
		type alsoA { 10.0.0.2 fd00::2 }
		type only4 { 10.0.0.4 }
		type server { 10.0.0.9 fd00::9 }`)
	types := map[string]*policy.Type{}
	for _, nf := range p.Types {
		types[nf.Name] = nf
	}
	tests := []struct {
		name    string
		chain   []string
		want    []string
		wantErr error
	}{
		{"empty chain", nil, []string{"fd00::9"}, nil},
		{"two hosts", []string{"a", "b"}, []string{"fd00::2", "fd00::33", "fd00::9"}, nil},
		{"neighbours on one host", []string{"a", "alsoA", "server"}, []string{"fd00::2", "fd00::9"}, nil},
		{"host visited twice", []string{"a", "b", "alsoA"}, nil, &policy.LoopError{Host: netip.MustParseAddr("fd00::2"), Type: "alsoA"}},
		{"instance on the client", []string{"client"}, nil, &policy.LoopError{Host: netip.MustParseAddr("fd00::1"), Type: "client"}},
		{"no instance", []string{"a", "only4"}, nil, &policy.NoInstanceError{Type: "only4", Family: chain.IPv6}},
		{"no instance behind a loop", []string{"client", "only4"}, nil, &policy.LoopError{Host: netip.MustParseAddr("fd00::1"), Type: "client"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var nfs []*policy.Type
			for _, name := range tt.chain {
				nfs = append(nfs, types[name])
			}
			hops, err := policy.BuildPath(policy.Seed{}, nfs, mustTuple(t, "[fd00::1]:40000 > [fd00::9]:80 tcp"), true)
			var got []string
			for _, h := range hops {
				got = append(got, h.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("hops (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.wantErr, err, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// The longest chain there can be gives the most hops that the module takes.
func TestBuildPathOfTheLongestChain(t *testing.T) {
	var nfs []*policy.Type
	for i := range policy.MaxChain {
		nfs = append(nfs, &policy.Type{Name: "nf", Instances: []policy.Instance{
			{Address: netip.AddrFrom4([4]byte{10, 0, 1, byte(i + 1)}), Weight: 1},
		}})
	}
	hops, err := policy.BuildPath(policy.Seed{}, nfs, mustTuple(t, "10.0.0.1:40000 > 10.0.0.9:80 tcp"), true)
	if err != nil || len(hops) != policy.MaxChain+1 {
		t.Errorf("%d hops, %v", len(hops), err)
	}
}
