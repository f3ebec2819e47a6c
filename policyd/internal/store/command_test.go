// SPDX-License-Identifier: Apache-2.0

package store

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The log outlives the program that wrote it: these bytes never change.
func TestCommandGolden(t *testing.T) {
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
			`{"version":1,"set_up":{"seed":"AQEBAQEBAQEBAQEBAQEBAQ==","keys":[{"id":1,"secret":"AgICAgICAgICAgICAgICAg=="}]}}`,
		},
		{
			"policy", setPolicy("match(any) >> {}\n"),
			`{"version":1,"set_policy":{"source":"match(any) \u003e\u003e {}\n","applied_unix_ms":1000}}`,
		},
		{
			"policy with version", setPolicy("", 7),
			`{"version":1,"set_policy":{"source":"","if_version":7,"applied_unix_ms":1000}}`,
		},
		{
			"policy rolled back", Command{SetPolicy: &SetPolicy{AppliedUnixMS: 1000, By: "10.0.0.7", RollbackOf: 3}},
			`{"version":2,"set_policy":{"source":"","applied_unix_ms":1000,"by":"10.0.0.7","rollback_of":3}}`,
		},
		{
			"host", setHost(h, "old"),
			`{"version":1,"set_host":{"host":{"name":"mb1","addresses":["10.0.0.2","10.0.0.3"],"nf_types":["firewall"],"changed_unix_ms":5},"replaces":["old"]}}`,
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
		{"no JSON", `{"version":1,`, "unexpected end"},
		{"no version", `{"set_policy":{"source":""}}`, "version 0, this program knows 2"},
		{"a newer version, whatever it holds", `{"version":3,"set_moon":{}}`, "version 3, this program knows 2"},
		{"unknown field", `{"version":1,"set_moon":{}}`, `unknown field "set_moon"`},
		{"no command", `{"version":1}`, "0 kinds of command"},
		{"two commands", `{"version":1,"set_policy":{"source":""},"set_host":{"host":{"name":"a","addresses":["10.0.0.1"]}}}`, "2 kinds of command"},
		{"short seed", `{"version":1,"set_up":{"seed":"AQ==","keys":[]}}`, "seed of 1 bytes"},
		{"no key", `{"version":1,"set_up":{"seed":"AQEBAQEBAQEBAQEBAQEBAQ==","keys":[]}}`, "no set-up key"},
		{"host without address", `{"version":1,"set_host":{"host":{"name":"a","addresses":[]}}}`, "no address"},
		{"host with half an address", `{"version":1,"set_host":{"host":{"name":"a","addresses":["10.0"]}}}`, "too short"},
		{"long name of who", `{"version":2,"set_policy":{"source":"","by":"` + strings.Repeat("x", MaxBy+1) + `"}}`, "applied by 257 bytes"},
		{"more after it", `{"version":1,"set_policy":{"source":""}} {}`, "after top-level value"},
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
		{SetPolicy: &SetPolicy{Source: "match(any) >> {}", By: "10.0.0.7", RollbackOf: 3}}, setHost(host("a", "10.0.0.1"), "b")} {
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
		if _, err := (&State{}).Apply(1, cmd); err != nil && cmd.SetPolicy == nil && cmd.SetHost == nil {
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
