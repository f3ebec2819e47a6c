// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// whole is a state with all that there is.
func whole() *store.State {
	secret := bytes.Repeat([]byte{1}, store.SecretLen)
	return &store.State{
		Index: 7, Seed: secret, Keys: []store.SetupKey{{ID: 1, Secret: secret}},
		Policy:   store.Policy{Version: 2, Source: "match(any) >> {}", AppliedUnixMS: 5},
		Hosts:    []store.Host{{Name: "mb1", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.2")}}},
		Nodes:    []store.Node{{Name: "policyd1", Address: "10.0.0.1:7400"}},
		Tokens:   []store.Token{{ID: "0102030405060708", Hash: bytes.Repeat(secret, 2), Role: "policyd", Name: "policyd2", Uses: 1, ExpiresUnixMS: 9}},
		Members:  []store.Member{{Role: "agent", Name: "mb1", Epoch: 1, Key: bytes.Repeat(secret, 2)}},
		Requests: []store.Request{{ID: secret, PolicyVersion: 2}},
	}
}

// Files outlive the program that wrote them: these bytes are read for ever.
const goldenSnapshot = "mbchain-snapshot 1 f7c12f23f4c47b5e35148b185e14199389f9ab896d9dbbdcd2c2a8ab08c58cca\n" +
	`{"version":2,"state":{"index":7,"policy":{"version":2,"source":"match(any) \u003e\u003e {}","applied_unix_ms":5},` +
	`"seed":"AQEBAQEBAQEBAQEBAQEBAQ==","keys":[{"id":1,"secret":"AQEBAQEBAQEBAQEBAQEBAQ=="}],` +
	`"hosts":[{"name":"mb1","addresses":["10.0.0.2"]}],` +
	`"members":[{"role":"agent","name":"mb1","epoch":1,"key":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","token":"","joined_unix_ms":0}]}}` + "\n"

func TestSnapshotGolden(t *testing.T) {
	got, err := encodeSnapshot(whole())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenSnapshot, string(got)); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
	back, err := decodeSnapshot([]byte(goldenSnapshot))
	if err != nil {
		t.Fatal(err)
	}
	want := whole() // but for what is this cluster's
	want.Nodes, want.Tokens, want.Requests = nil, nil, nil
	if diff := cmp.Diff(want, back, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

// What is taken can be restored, however long the history is.
func TestSnapshotOfALongHistoryCanBeRestored(t *testing.T) {
	s := whole()
	s.Policy.Version = 9
	for version := uint64(8); version > 4; version-- {
		s.History = append(s.History, store.Policy{Version: version, Source: strings.Repeat(">", store.MaxHistoryBytes/4)}) // 6 bytes each
	}
	data, err := encodeSnapshot(s)
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeSnapshot(data)
	if err != nil || len(back.History) != 2 || back.History[0].Version != 8 {
		t.Errorf("history of %d, error %v, want the newest 2", len(back.History), err)
	}
}

// sealed is a body with its right checksum.
func sealed(body string) string {
	return fmt.Sprintf("%s%x\n%s", snapshotMagic, sha256.Sum256([]byte(body)), body)
}

func TestDecodeSnapshotRefuses(t *testing.T) {
	_, body, _ := strings.Cut(goldenSnapshot, "\n")
	tests := []struct{ name, in, want string }{
		{"nothing", "", "no snapshot"},
		{"a policy", "match(any) >> {}\n", "no snapshot"},
		{"another version of the form", strings.Replace(goldenSnapshot, "snapshot 1", "snapshot 2", 1), "no snapshot"},
		{"a bit", strings.Replace(goldenSnapshot, "10.0.0.2", "10.0.0.3", 1), "checksum is wrong"},
		{"the end is missing", goldenSnapshot[:len(goldenSnapshot)-9], "checksum is wrong"},
		{"a newer state", sealed(strings.Replace(body, `"version":2`, `"version":9`, 1)), "version 9, this program knows 2"},
		{"an unknown field", sealed(strings.Replace(body, `"index"`, `"moon"`, 1)), "moon"},
		{"no keys", sealed(`{"version":2,"state":{"index":1,"policy":{"version":0}}}`), "no set-up keys"},
		{"a wrong policy", sealed(strings.Replace(body, "match(any)", "match(moon)", 1)), "its policy is wrong"},
	}
	for _, tt := range tests {
		if _, err := decodeSnapshot([]byte(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that says %q", tt.name, err, tt.want)
		}
	}
}

func FuzzDecodeSnapshot(f *testing.F) {
	f.Add([]byte(goldenSnapshot))
	f.Add([]byte(sealed("{}")))
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := decodeSnapshot(data)
		if err != nil {
			return
		}
		if _, err := store.EncodeCommand(store.Command{Restore: &store.Restore{State: state}}); err != nil {
			t.Errorf("what was decoded cannot be restored: %v", err)
		}
	})
}

func TestSnapshotIsTakenAndRestored(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.apply(onePolicy)
		taken, err := b.nodes.TakeSnapshot(t.Context(), &proto.TakeSnapshotRequest{})
		if err != nil || taken.PolicyVersion != 1 {
			t.Fatalf("taken %v, error %v", taken, err)
		}
		b.apply("match(any) >> {}")
		a := b.subscribe("client", "10.0.0.1")
		a.subpolicy(2)
		for range 2 { // the second time as if the answer were lost
			ctx, info := connect.NewClientContext(t.Context())
			info.RequestHeader().Set(headerRequest, strings.Repeat("ab", store.RequestLen))
			done, err := b.nodes.RestoreSnapshot(ctx, &proto.RestoreSnapshotRequest{Data: taken.Data})
			if err != nil || done.PolicyVersion != 3 {
				t.Errorf("restored %v, error %v, want version 3", done, err)
			}
		}
		// The snapshot does not know the host, which registers anew.
		for a.next() != nil {
		}
		wantCode(t, a.stream.Err(), connect.CodeAborted)
		b.subscribe("client", "10.0.0.1").subpolicy(3)
		_, err = b.nodes.RestoreSnapshot(t.Context(), &proto.RestoreSnapshotRequest{Data: []byte("x")})
		wantCode(t, err, connect.CodeInvalidArgument)
	})
}
