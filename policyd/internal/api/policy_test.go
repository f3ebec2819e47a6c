// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/push"
	"mbchain/proto"
)

const onePolicy = `type firewall { fw 10.0.0.2 weight 2, 10.0.0.3 }
match(srcip=10.0.0.1 & dstport=80) >> {firewall}
`

func TestCheckSaysWhereAPolicyIsWrong(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		got, err := b.policy.Check(t.Context(), &proto.CheckRequest{Source: "# one\n\tmatch(dstprt=80) >> {}\n"})
		if err != nil {
			t.Fatal(err)
		}
		want := &proto.CheckResponse{Errors: []*proto.Diagnostic{{
			Line: 2, Column: 8, Width: 6, Text: "\tmatch(dstprt=80) >> {}",
			Message: got.GetErrors()[0].GetMessage(),
		}}}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		if !strings.Contains(got.Errors[0].Message, "dstprt") {
			t.Errorf("message %q does not name what is wrong", got.Errors[0].Message)
		}

		got, err = b.policy.Check(t.Context(), &proto.CheckRequest{Source: onePolicy})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&proto.CheckResponse{Rules: 1, Types: 1, Instances: 2}, got, protocmp.Transform()); diff != "" {
			t.Errorf("right policy (-want +got):\n%s", diff)
		}
		got, err = b.policy.Check(t.Context(), &proto.CheckRequest{Source: "match(any) >> {}\nmatch(dstport=1) >> {}"})
		if err != nil || len(got.Warnings) == 0 || len(got.Errors) != 0 {
			t.Errorf("odd policy: %v, error %v, want warnings", got, err)
		}
	})
}

func TestApply(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.subscribe("client", "10.0.0.1").subpolicy(0)
		version := func(v uint64) *uint64 { return &v }
		other := "match(any) >> {}"
		steps := []struct {
			name string
			req  *proto.ApplyRequest
			want *proto.ApplyResponse
			code connect.Code
		}{
			{"first", &proto.ApplyRequest{Source: onePolicy}, &proto.ApplyResponse{Version: 1, Rules: 1, Hosts: 1}, 0},
			{"the same again", &proto.ApplyRequest{Source: onePolicy}, &proto.ApplyResponse{Version: 1, Rules: 1, Hosts: 1, Unchanged: true}, 0},
			{"too late", &proto.ApplyRequest{Source: other, IfVersion: version(0)}, nil, connect.CodeAborted},
			{"in time", &proto.ApplyRequest{Source: other, IfVersion: version(1)}, &proto.ApplyResponse{Version: 2, Rules: 1, Hosts: 1}, 0},
			{"repeated", &proto.ApplyRequest{Source: other, IfVersion: version(1)}, &proto.ApplyResponse{Version: 2, Rules: 1, Hosts: 1, Unchanged: true}, 0},
			{"wrong", &proto.ApplyRequest{Source: "match("}, nil, connect.CodeInvalidArgument},
		}
		for _, step := range steps {
			got, err := b.policy.Apply(t.Context(), step.req)
			if step.code != 0 {
				wantCode(t, err, step.code)
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if diff := cmp.Diff(step.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
		}
		got, err := b.policy.Get(t.Context(), &proto.GetRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Version != 2 || got.Source != other || got.AppliedUnixMs != time.Now().UnixMilli() {
			t.Errorf("running: %v", got)
		}
	})
}

func TestApplyOfAWrongPolicyCarriesTheFindings(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.apply(onePolicy)
		_, err := b.policy.Apply(t.Context(), &proto.ApplyRequest{Source: "match(any) >> {nosuch}\nmatch(dstprt=1) >> {}"})
		wantCode(t, err, connect.CodeInvalidArgument)
		var ce *connect.Error
		if !errors.As(err, &ce) || len(ce.Details()) != 1 {
			t.Fatalf("error %v has no detail", err)
		}
		detail, err := ce.Details()[0].Value()
		if err != nil {
			t.Fatal(err)
		}
		found, ok := detail.(*proto.CheckResponse)
		if !ok || len(found.Errors) != 2 {
			t.Errorf("detail %v, want two findings", detail)
		}
		got, err := b.policy.Get(t.Context(), &proto.GetRequest{})
		if err != nil || got.Version != 1 || got.Source != onePolicy {
			t.Errorf("running: %v, error %v", got, err)
		}
	})
}

func TestGetTellsWhoRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		client, mb := b.subscribe("client", "10.0.0.1"), b.subscribe("mb1", "10.0.0.2")
		client.subpolicy(0)
		mb.subpolicy(0)
		b.apply(onePolicy)
		// The hosts came up together: each may be told of the other first.
		client.acknowledge(newest(client, 1), 1, "")
		mb.acknowledge(newest(mb, 1), 0, "cannot allocate memory")
		got, err := b.policy.Get(t.Context(), &proto.GetRequest{})
		if err != nil {
			t.Fatal(err)
		}
		want := []*proto.HostPolicy{
			{Host: "client", Connected: true, OfferedVersion: 1, RunningVersion: 1, Rules: 1},
			{Host: "mb1", Connected: true, OfferedVersion: 1, Error: "cannot allocate memory"},
		}
		if diff := cmp.Diff(want, got.Hosts, protocmp.Transform()); diff != "" {
			t.Errorf("hosts (-want +got):\n%s", diff)
		}
		status, err := b.domain.GetStatus(t.Context(), &proto.GetStatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		wantStatus := &proto.GetStatusResponse{
			Version: "test", State: "leader", AppliedIndex: 7, PolicyVersion: 1,
			Hosts: 2, HostsConnected: 2, HostsInSync: 1,
		}
		if diff := cmp.Diff(wantStatus, status, protocmp.Transform()); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})
}

// newest receives subpolicies up to one of this version that names both hosts.
func newest(a *agent, version uint64) *proto.Push {
	for {
		p := a.next()
		if s := p.GetSubpolicy(); s == nil || s.Version == version && len(s.Hosts) == 2 {
			return p
		}
	}
}

func TestExplain(t *testing.T) {
	tests := []struct {
		name  string
		tuple *proto.Tuple
		hops  []*proto.ExplainHop
	}{
		{
			name:  "IPv4",
			tuple: &proto.Tuple{Source: "10.0.0.1", SourcePort: 1024, Destination: "10.0.0.9", DestinationPort: 80, Protocol: 6},
			hops: []*proto.ExplainHop{
				{Type: "firewall", Host: "mb1", Address: "10.0.0.2", Weight: 3, TotalWeight: 3},
				{Host: "server", Address: "10.0.0.9"},
			},
		},
		{
			name:  "IPv6",
			tuple: &proto.Tuple{Source: "fd00::1", SourcePort: 1024, Destination: "fd00::9", DestinationPort: 80, Protocol: 6},
			hops: []*proto.ExplainHop{
				{Type: "firewall", Host: "mb1", Address: "fd00::2", Weight: 3, TotalWeight: 3},
				{Host: "server", Address: "fd00::9"},
			},
		},
	}
	inBubble(t, func(t *testing.T, b *bench) {
		b.apply("type firewall { fw 10.0.0.2 fd00::2 weight 3 }\ntype old { 10.0.0.2 }\n" +
			"match(dstport=80) >> {firewall} on-failure bypass\nmatch(dstport=81) >> {old}")
		b.subscribe("client", "10.0.0.1", "fd00::1").subpolicy(1)
		b.subscribe("mb1", "10.0.0.2", "fd00::2").subpolicy(1)
		b.subscribe("server", "10.0.0.9", "fd00::9").subpolicy(1)
		for _, tt := range tests {
			got, err := b.policy.Explain(t.Context(), &proto.ExplainRequest{Tuple: tt.tuple})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Why) == 0 {
				t.Errorf("%s: no reason given", tt.name)
			}
			got.Hops[0].Point, got.Why = 0, nil
			want := &proto.ExplainResponse{
				Version: 1, Matched: true, Rule: 1, Line: 3, OnFailure: "bypass",
				RuleText: "match(dstport=80) >> {firewall} on-failure bypass",
				Hops:     tt.hops,
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("%s: explanation (-want +got):\n%s", tt.name, diff)
			}
		}
		tests[1].tuple.DestinationPort = 81
		got, err := b.policy.Explain(t.Context(), &proto.ExplainRequest{Tuple: tests[1].tuple})
		if err != nil {
			t.Fatal(err)
		}
		if got.Problem != `NF type "old" has no instance with an IPv6 address` || len(got.Hops) != 0 {
			t.Errorf("problem %q, hops %v", got.Problem, got.Hops)
		}
	})
}

func TestExplainRefusesWhatIsNoTuple(t *testing.T) {
	good := func() *proto.Tuple {
		return &proto.Tuple{Source: "10.0.0.1", SourcePort: 1, Destination: "10.0.0.2", DestinationPort: 2, Protocol: 6}
	}
	tests := []struct {
		name string
		set  func(*proto.Tuple)
		want string
	}{
		{"empty source", func(t *proto.Tuple) { t.Source = "" }, `source "" is not an address`},
		{"name", func(t *proto.Tuple) { t.Destination = "server" }, `destination "server" is not an address`},
		{"port", func(t *proto.Tuple) { t.DestinationPort = 65536 }, "destination port 65536"},
		{"no port", func(t *proto.Tuple) { t.SourcePort = 0 }, "port 0"},
		{"protocol", func(t *proto.Tuple) { t.Protocol = 256 }, "protocol 256"},
		{"two families", func(t *proto.Tuple) { t.Destination = "fd00::2" }, "different families"},
		{"zone", func(t *proto.Tuple) { t.Source = "fe80::1%eth0" }, `source "fe80::1%eth0" is not an address`},
		{"mapped", func(t *proto.Tuple) { t.Source = "::ffff:10.0.0.1" }, "not a unicast address"},
		{"multicast", func(t *proto.Tuple) { t.Destination = "224.0.0.1" }, "not a unicast address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tuple := good()
			tt.set(tuple)
			_, err := fiveTuple(tuple)
			wantCode(t, err, connect.CodeInvalidArgument)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
	if _, err := fiveTuple(nil); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("no tuple: error %v", err)
	}
	if _, err := fiveTuple(good()); err != nil {
		t.Errorf("good tuple: %v", err)
	}
}

func TestErrorsHaveTheirCodes(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.cluster.err = cluster.ErrNotReady
		_, err := b.policy.Apply(t.Context(), &proto.ApplyRequest{})
		wantCode(t, err, connect.CodeUnavailable)
		_, err = b.policy.Get(t.Context(), &proto.GetRequest{})
		wantCode(t, err, connect.CodeUnavailable)
		_, err = b.domain.ListHosts(t.Context(), &proto.ListHostsRequest{})
		wantCode(t, err, connect.CodeUnavailable)
		if got, err := b.domain.GetStatus(t.Context(), &proto.GetStatusRequest{}); err != nil || got.PolicyVersion != 0 {
			t.Errorf("status: %v, error %v", got, err)
		}
		b.cluster.err = cluster.ErrUnknownOutcome
		_, err = b.policy.Apply(t.Context(), &proto.ApplyRequest{})
		wantCode(t, err, connect.CodeUnknown)
		wantCode(t, coded(push.ErrUnknownHost), connect.CodeNotFound)
		wantCode(t, coded(errors.New("no idea")), connect.CodeInternal)
	})
}
