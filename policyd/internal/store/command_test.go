// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/identity"
)

// The log outlives the program that wrote it: these bytes never change.
func TestCommandGolden(t *testing.T) {
	const hash1 = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="

	h := host("mb1", "10.0.0.2", "10.0.0.3")
	h.NFTypes = []string{"firewall"}
	h.ChangedUnixMS = 5
	tests := []struct {
		name string
		cmd  Command
		want string
	}{
		{
			"set-up", setUp(1),
			`{"version":2,"set_up":{"seed":"AQEBAQEBAQEBAQEBAQEBAQ==","keys":[{"id":1,"secret":"AgICAgICAgICAgICAgICAg=="}]}}`,
		},
		{
			"policy", setPolicy("match(any) >> {}\n"),
			`{"version":2,"set_policy":{"source":"match(any) \u003e\u003e {}\n","applied_unix_ms":1000}}`,
		},
		{
			"policy with version", setPolicy("", 7),
			`{"version":2,"set_policy":{"source":"","if_version":7,"applied_unix_ms":1000}}`,
		},
		{
			"policy rolled back", Command{SetPolicy: &SetPolicy{AppliedUnixMS: 1000, By: "10.0.0.7", RollbackOf: 3}},
			`{"version":2,"set_policy":{"source":"","applied_unix_ms":1000,"by":"10.0.0.7","rollback_of":3}}`,
		},
		{
			"host", setHost(h, "old"),
			`{"version":2,"set_host":{"host":{"name":"mb1","addresses":["10.0.0.2","10.0.0.3"],"nf_types":["firewall"],"changed_unix_ms":5},"replaces":["old"]}}`,
		},
		{
			"policy with a request's number", numbered(setPolicy("a"), 3),
			`{"version":2,"set_policy":{"source":"a","applied_unix_ms":1000},"request":"AwMDAwMDAwMDAwMDAwMDAw=="}`,
		},
		{
			"node", setNode("policyd2", "10.0.0.2:7400"),
			`{"version":2,"set_node":{"node":{"name":"policyd2","address":"10.0.0.2:7400"}}}`,
		},
		{
			"node that leaves", Command{RemoveNode: &RemoveNode{Name: "policyd2"}},
			`{"version":2,"remove_node":{"name":"policyd2"}}`,
		},
		{
			"token", addToken('1', "policyd", "policyd2", 9, 5),
			`{"version":2,"add_token":{"token":{"id":"0101010101010101","hash":"` + hash1 + `","role":"policyd","name":"policyd2","uses":1,"expires_unix_ms":9,"created_by":"operator root","created_unix_ms":5}}}`,
		},
		{
			"token that goes", Command{DropToken: &DropToken{ID: tokenID('1'), Joined: true, NowUnixMS: 5}},
			`{"version":2,"drop_token":{"id":"0101010101010101","joined":true,"now_unix_ms":5}}`,
		},
		{
			"newcomer", Command{Admit: admit("mb1", '1', "10.0.0.2")},
			`{"version":2,"admit":{"role":"agent","name":"mb1","addresses":["10.0.0.2"],"key":"` + hash1 + `","token_id":"0101010101010101","hash":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","now_unix_ms":1000}}`,
		},
		{
			"addresses", Command{Readdress: &Readdress{Role: "agent", Name: "mb1", Epoch: 2, Addresses: addrs("10.0.0.3")}},
			`{"version":2,"readdress":{"role":"agent","name":"mb1","epoch":2,"addresses":["10.0.0.3"]}}`,
		},
		{
			"revocation", Command{Revoke: &Revoke{Role: "agent", Name: "mb1", NowUnixMS: 5}},
			`{"version":2,"revoke":{"role":"agent","name":"mb1","now_unix_ms":5}}`,
		},
		{
			"set-up keys", Command{SetKeys: &SetKeys{Keys: []SetupKey{{ID: 2, Secret: secret(2), CreatedUnixMS: 4}}, IfIndex: 3, NowUnixMS: 5}},
			`{"version":2,"set_keys":{"keys":[{"id":2,"secret":"AgICAgICAgICAgICAgICAg==","created_unix_ms":4}],"if_index":3,"now_unix_ms":5}}`,
		},
		{
			"restore", Command{Restore: &Restore{State: &State{Seed: secret(1), Keys: []SetupKey{{ID: 1, Secret: secret(2)}}}}},
			`{"version":2,"restore":{"state":{"index":0,"policy":{"version":0},"seed":"AQEBAQEBAQEBAQEBAQEBAQ==","keys":[{"id":1,"secret":"AgICAgICAgICAgICAgICAg=="}]},"now_unix_ms":0}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := EncodeCommand(tt.cmd)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("encoding (-want +got):\n%s", diff)
			}
			back, err := DecodeCommand([]byte(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.cmd, back, stateOptions); diff != "" {
				t.Errorf("decoding (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeCommandRefuses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", ``, "unexpected end"},
		{"no JSON", `{"version":2,`, "unexpected end"},
		{"no version", `{"set_policy":{"source":""}}`, "version 0, this program knows 2 to 3"},
		{"a newer version, whatever it holds", `{"version":4,"set_moon":{}}`, "version 4, this program knows 2 to 3"},
		{"unknown field", `{"version":2,"set_moon":{}}`, `unknown field "set_moon"`},
		{"no command", `{"version":2}`, "0 kinds of command"},
		{"two commands", `{"version":2,"set_policy":{"source":""},"set_host":{"host":{"name":"a","addresses":["10.0.0.1"]}}}`, "2 kinds of command"},
		{"short seed", `{"version":2,"set_up":{"seed":"AQ==","keys":[]}}`, "seed of 1 bytes"},
		{"no key", `{"version":2,"set_up":{"seed":"AQEBAQEBAQEBAQEBAQEBAQ==","keys":[]}}`, "no set-up key"},
		{"host without address", `{"version":2,"set_host":{"host":{"name":"a","addresses":[]}}}`, "no address"},
		{"host with half an address", `{"version":2,"set_host":{"host":{"name":"a","addresses":["10.0"]}}}`, "too short"},
		{"long name of who", `{"version":2,"set_policy":{"source":"","by":"` + strings.Repeat("x", MaxBy+1) + `"}}`, "applied by 257 bytes"},
		{"short request", `{"version":2,"set_policy":{"source":""},"request":"AQ=="}`, "request number of 1 bytes"},
		{"node without address", `{"version":2,"set_node":{"node":{"name":"a","address":""}}}`, "has address"},
		{"drain of no name", `{"version":3,"set_drain":{"drain":{"host":"","since_unix_ms":1}}}`, "name"},
		{"drain of a long type", `{"version":3,"set_drain":{"drain":{"host":"mb1","type":"` + strings.Repeat("x", 32) + `","since_unix_ms":1}}}`, "drain of NF type"},
		{"token of a few bytes", `{"version":2,"add_token":{"token":{"id":"0101010101010101","hash":"AQ==","role":"agent","uses":1,"expires_unix_ms":1,"created_by":"","created_unix_ms":0}}}`, "of 1 bytes"},
		{"restore of nothing", `{"version":2,"restore":{"state":{"index":0,"policy":{"version":0}}}}`, "no whole state"},
		{"more after it", `{"version":2,"set_policy":{"source":""}} {}`, "after top-level value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := DecodeCommand([]byte(tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestEncodeCommandRefusesWhatItWouldAlter(t *testing.T) {
	if _, err := EncodeCommand(setPolicy("match(\xff)")); err == nil {
		t.Error("a policy that is not UTF-8 was encoded")
	}
}

func FuzzDecodeCommand(f *testing.F) {
	for _, cmd := range []Command{setUp(1), setPolicy("match(any) >> {}", 3),
		{SetPolicy: &SetPolicy{Source: "match(any) >> {}", By: "operator anna", RollbackOf: 3}}, setHost(host("a", "10.0.0.1"), "b"),
		setNode("policyd2", "10.0.0.2:7400"), addToken('1', "policyd", "policyd2", 9, 5), numbered(setPolicy("a"), 3),
		{Admit: admit("mb1", 1, "10.0.0.2")}, {Revoke: &Revoke{Role: "agent", Name: "mb1", NowUnixMS: 5}}} {
		b, err := EncodeCommand(cmd)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		cmd, err := DecodeCommand(b)
		if err != nil {
			return
		}
		_, err = (&State{}).Apply(1, cmd)
		refusals := []error{ErrVersion, ErrAddressTaken, ErrToken, ErrUnknown, identity.ErrRevoked}
		if err != nil && !slices.ContainsFunc(refusals, func(why error) bool { return errors.Is(err, why) }) {
			t.Fatalf("apply: %v", err)
		}
		again, err := EncodeCommand(cmd)
		if err != nil {
			t.Fatalf("what was decoded does not encode: %v", err)
		}
		back, err := DecodeCommand(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(cmd, back, stateOptions); diff != "" {
			t.Errorf("round trip (-want +got):\n%s", diff)
		}
	})
}
