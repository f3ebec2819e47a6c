// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var stateOptions = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.EquateComparable(netip.Addr{}),
}

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, SecretLen) }

func setUp(b byte) Command {
	return Command{SetUp: &SetUp{Seed: secret(b), Keys: []SetupKey{{ID: 1, Secret: secret(b + 1)}}}}
}

func setPolicy(source string, ifVersion ...uint64) Command {
	c := &SetPolicy{Source: source, AppliedUnixMS: 1000}
	if len(ifVersion) > 0 {
		c.IfVersion = &ifVersion[0]
	}
	return Command{SetPolicy: c}
}

func host(name string, addresses ...string) Host {
	h := Host{Name: name}
	for _, a := range addresses {
		h.Addresses = append(h.Addresses, netip.MustParseAddr(a))
	}
	return h
}

func setHost(h Host, replaces ...string) Command {
	return Command{SetHost: &SetHost{Host: h, Replaces: replaces}}
}

func TestApplyCommandsInOrder(t *testing.T) {
	type step struct {
		cmd     Command
		changed bool
		err     error
	}
	ok := func(cmd Command) step { return step{cmd: cmd, changed: true} }
	same := func(cmd Command) step { return step{cmd: cmd} }
	refused := func(cmd Command, err error) step { return step{cmd: cmd, err: err} }

	tests := []struct {
		name  string
		steps []step
		want  State
	}{
		{
			name:  "set-up happens once",
			steps: []step{ok(setUp(1)), same(setUp(1)), same(setUp(7))},
			want:  State{Index: 1, Seed: secret(1), Keys: []SetupKey{{ID: 1, Secret: secret(2)}}},
		},
		{
			name:  "every new text is a new version, the running one is not",
			steps: []step{ok(setPolicy("a")), same(setPolicy("a")), ok(setPolicy("b"))},
			want: State{Index: 3, Policy: Policy{Version: 2, Source: "b", AppliedUnixMS: 1000},
				History: []Policy{{Version: 1, Source: "a", AppliedUnixMS: 1000}}},
		},
		{
			name:  "the empty text is a policy too",
			steps: []step{ok(setPolicy("")), same(setPolicy(""))},
			want:  State{Index: 1, Policy: Policy{Version: 1, AppliedUnixMS: 1000}},
		},
		{
			name: "if_version compares and sets",
			steps: []step{
				refused(setPolicy("a", 1), ErrVersion),
				ok(setPolicy("a", 0)),
				refused(setPolicy("b", 0), ErrVersion),
				ok(setPolicy("b", 1)),
				same(setPolicy("b", 1)), // repeated: the outcome was unknown
				refused(setPolicy("c", 1), ErrVersion),
			},
			want: State{Index: 4, Policy: Policy{Version: 2, Source: "b", AppliedUnixMS: 1000},
				History: []Policy{{Version: 1, Source: "a", AppliedUnixMS: 1000}}},
		},
		{
			name: "hosts are kept by name and replaced whole",
			steps: []step{
				ok(setHost(host("mb1", "10.0.0.2"))),
				ok(setHost(host("client", "10.0.0.1", "10.0.0.9"))),
				same(setHost(host("client", "10.0.0.1", "10.0.0.9"))),
				ok(setHost(host("client", "10.0.0.1"))),
			},
			want: State{Index: 4, Hosts: []Host{host("client", "10.0.0.1"), host("mb1", "10.0.0.2")}},
		},
		{
			name: "an address of another host is refused",
			steps: []step{
				ok(setHost(host("mb1", "10.0.0.2", "10.0.0.3"))),
				refused(setHost(host("mb2", "10.0.0.3")), ErrAddressTaken),
				refused(setHost(host("mb2", "10.0.0.3"), "mb3"), ErrAddressTaken),
			},
			want: State{Index: 1, Hosts: []Host{host("mb1", "10.0.0.2", "10.0.0.3")}},
		},
		{
			name: "an IPv6 address is owned as an IPv4 address is",
			steps: []step{
				ok(setHost(host("mb1", "10.0.0.2", "fd00::2"))),
				refused(setHost(host("mb2", "10.0.0.3", "fd00::2")), ErrAddressTaken),
				ok(setHost(host("mb2", "10.0.0.3", "fd00::2"), "mb1")),
			},
			want: State{Index: 3, Hosts: []Host{host("mb1", "10.0.0.2"), host("mb2", "10.0.0.3", "fd00::2")}},
		},
		{
			name: "an address is taken from a host that is named, the last one with the host",
			steps: []step{
				ok(setHost(host("mb1", "10.0.0.2", "10.0.0.3"))),
				ok(setHost(host("mb2", "10.0.0.3"), "mb1")),
				ok(setHost(host("mb3", "10.0.0.2"), "mb1")),
			},
			want: State{Index: 3, Hosts: []Host{host("mb2", "10.0.0.3"), host("mb3", "10.0.0.2")}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := &State{}
			for i, step := range tt.steps {
				next, err := state.Apply(uint64(i+1), step.cmd)
				if !errors.Is(err, step.err) || (err != nil) != (step.err != nil) {
					t.Fatalf("step %d: error %v, want %v", i+1, err, step.err)
				}
				if changed := next != state; changed != step.changed {
					t.Fatalf("step %d: changed %t, want %t", i+1, changed, step.changed)
				}
				state = next
			}
			if diff := cmp.Diff(tt.want, *state, stateOptions); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyLeavesTheOldStateAlone(t *testing.T) {
	state := &State{}
	var history []*State
	for i, cmd := range []Command{
		setUp(1), setPolicy("a"), setHost(host("b", "10.0.0.2", "10.0.0.3")),
		setHost(host("a", "10.0.0.1")), setHost(host("c", "10.0.0.3"), "b"), setPolicy("b"),
	} {
		history = append(history, state)
		before := clone(state)
		next, err := state.Apply(uint64(i+1), cmd)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, state, stateOptions); diff != "" {
			t.Fatalf("step %d modified the state it began with (-want +got):\n%s", i+1, diff)
		}
		state = next
	}
	for i, s := range history {
		if s.Index != uint64(i) {
			t.Errorf("state %d has index %d", i, s.Index)
		}
	}
}

func clone(s *State) *State {
	c := *s
	c.Hosts = slices.Clone(s.Hosts)
	for i := range c.Hosts {
		c.Hosts[i].Addresses = slices.Clone(c.Hosts[i].Addresses)
	}
	return &c
}

func TestSetHostKeepsItsBounds(t *testing.T) {
	address := func(i int) netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	full := &State{}
	for i := range MaxHosts {
		full.Hosts = append(full.Hosts, Host{
			Name: fmt.Sprintf("h%06d", i), Addresses: []netip.Addr{address(i)},
		})
	}
	tests := []struct {
		name string
		host Host
		want error
	}{
		{"one host more", host("new", "10.200.0.1"), ErrFull},
		{"a known host", host("h000005", "10.200.0.1"), nil},
		{"too many addresses", func() Host {
			h := Host{Name: "h000005"}
			for i := range MaxAddresses - MaxHosts + 2 {
				h.Addresses = append(h.Addresses, address(1<<20+i))
			}
			return h
		}(), ErrFull},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := full.Apply(1, setHost(tt.host)); !errors.Is(err, tt.want) || (err != nil) != (tt.want != nil) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}
