// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/proto"
)

func TestRequestsThatAreRefused(t *testing.T) {
	var many []string
	for i := range MaxHosts + 1 {
		many = append(many, fmt.Sprintf("h%d", i))
	}
	with := func(r *proto.StartMigrationsRequest, set func(*proto.StartMigrationsRequest)) *proto.StartMigrationsRequest {
		set(r)
		return r
	}
	conntrack := func(r *proto.StartMigrationsRequest) { r.StateMethod = proto.StateMethod_STATE_METHOD_CONNTRACK }
	tests := []struct {
		name string
		r    *proto.StartMigrationsRequest
		want string
	}{
		{"nothing", &proto.StartMigrationsRequest{}, "change: none of insert, remove and replace"},
		{"no place", insert("", "", "mb3"), "insert: exactly one of after and before"},
		{"two places", insert("a", "b", "mb3"), "insert: exactly one of after and before"},
		{"insert nobody", insert("a", ""), "insert: no host"},
		{"remove nobody", remove(), "remove: no host"},
		{"replace by nobody", replace("mb1", ""), "replace: hosts are wanted in both"},
		{"twice", remove("mb1", "mb1"), "hosts: mb1 is given twice"},
		{"by itself", replace("mb1", "mb1"), "hosts: mb1 is given twice"},
		{"beside itself", insert("mb1", "", "mb1"), "hosts: mb1 is given twice"},
		{"too many leave", remove(many...), "hosts: 15, at most 14"},
		{"too many come", insert("a", "", many...), "hosts: 15, at most 14"},
		{"no patience", with(remove("mb1"), func(r *proto.StartMigrationsRequest) { r.PatienceMs = 49 }), "patience_ms: 49 is not from 50 to 60000"},
		{"too much of it", with(remove("mb1"), func(r *proto.StartMigrationsRequest) { r.PatienceMs = 60001 }), "patience_ms: 60001"},
		{"unknown guarantee", with(remove("mb1"), func(r *proto.StartMigrationsRequest) { r.Guarantee = 9 }), "guarantee: 9 is unknown"},
		{"unknown method", with(replace("a", "b"), func(r *proto.StartMigrationsRequest) { r.StateMethod = 9 }), "state_method: 9 is unknown"},
		{"state of who leaves for nobody", with(remove("mb1"), conntrack), "state_method: state can move only when hosts are replaced"},
		{"state of two for one", with(replace("a b", "c"), conntrack), "state_method: 2 hosts leave and 1 come"},
		{"state without order", with(replace("a", "b"), func(r *proto.StartMigrationsRequest) {
			conntrack(r)
			r.Guarantee = proto.Guarantee_GUARANTEE_LOSS_FREE
		}), "guarantee: loss-free moves no state"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := FromRequest(tt.r)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
}

func TestChangeReadsAsPeopleSayIt(t *testing.T) {
	tests := []struct {
		r    *proto.StartMigrationsRequest
		want string
	}{
		{insert("client", "", "mb2"), "+ mb2 after client"},
		{insert("", "server", "mb2", "mb3"), "+ mb2,mb3 before server"},
		{remove("mb1", "mb2"), "- mb1,mb2"},
		{replace("mb1", "mb3"), "mb1 -> mb3"},
	}
	for _, tt := range tests {
		c, err := FromRequest(tt.r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, c.String()); diff != "" {
			t.Errorf("change (-want +got):\n%s", diff)
		}
	}
}
