// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
)

func TestHistory(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		history := func() *proto.HistoryResponse {
			got, err := b.policy.History(t.Context(), &proto.HistoryRequest{})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if diff := cmp.Diff(&proto.HistoryResponse{}, history(), protocmp.Transform()); diff != "" {
			t.Errorf("before the first one (-want +got):\n%s", diff)
		}
		_, err := b.policy.Get(t.Context(), &proto.GetRequest{Version: 1})
		wantCode(t, err, connect.CodeNotFound)

		first := time.Now().UnixMilli()
		b.apply(onePolicy)
		time.Sleep(time.Minute)
		second := time.Now().UnixMilli()
		b.apply("match(any) >> {}")
		if _, err := b.policy.Apply(t.Context(), &proto.ApplyRequest{Source: onePolicy, RollbackOf: 1}); err != nil {
			t.Fatal(err)
		}
		got := history()
		by := got.Versions[0].By
		if by == "" || strings.Contains(by, ":") && !strings.Contains(by, "::") {
			t.Errorf("applied by %q, want an address without port", by)
		}
		want := &proto.HistoryResponse{Versions: []*proto.PolicyVersion{
			{Version: 3, AppliedUnixMs: second, By: by, Bytes: uint32(len(onePolicy)), RollbackOf: 1},
			{Version: 2, AppliedUnixMs: second, By: by, Bytes: 16},
			{Version: 1, AppliedUnixMs: first, By: by, Bytes: uint32(len(onePolicy))},
		}}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}

		old, err := b.policy.Get(t.Context(), &proto.GetRequest{Version: 2})
		if err != nil {
			t.Fatal(err)
		}
		wantOld := &proto.GetResponse{Version: 2, Source: "match(any) >> {}", AppliedUnixMs: second, By: by}
		if diff := cmp.Diff(wantOld, old, protocmp.Transform()); diff != "" {
			t.Errorf("version 2 (-want +got):\n%s", diff)
		}
		_, err = b.policy.Get(t.Context(), &proto.GetRequest{Version: 9})
		wantCode(t, err, connect.CodeNotFound)
		if err == nil || !strings.Contains(err.Error(), "version 3 runs, and 1 to 2 are kept") {
			t.Errorf("error %v", err)
		}
	})
}

func TestCheckComparesWithTheHosts(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.subscribe("fw", "10.0.0.2").subpolicy(0)
		got, err := b.policy.Check(t.Context(), &proto.CheckRequest{Source: onePolicy, Hosts: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0].Message, "10.0.0.3 of NF type \"firewall\" is on no host that is known") {
			t.Errorf("warnings %v", got.Warnings)
		}
	})
}
