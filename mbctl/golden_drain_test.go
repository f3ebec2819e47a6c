// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// nfFake is NFService of the lab.
type nfFake struct {
	protoconnect.UnimplementedNFServiceHandler
	f *fake
}

func (n nfFake) List(context.Context, *proto.ListNFsRequest) (*proto.ListNFsResponse, error) {
	if n.f.err != nil {
		return nil, n.f.err
	}
	if len(n.f.nfs) == 0 {
		return &proto.ListNFsResponse{}, nil
	}
	answer := n.f.nfs[0]
	if len(n.f.nfs) > 1 {
		n.f.nfs = n.f.nfs[1:]
	}
	return answer, nil
}

func (n nfFake) set(r *proto.DrainRequest, what string) (*proto.DrainResponse, error) {
	n.f.drained = append(n.f.drained, fmt.Sprintf("%s %s %s", what, r.Host, r.Type))
	switch {
	case r.Host == "mb9":
		return nil, connect.NewError(connect.CodeNotFound, errors.New("unknown host: mb9"))
	case what == "undrain" && r.Type == "proxy":
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("host is drained as a whole: mb2; undrain all of it"))
	}
	return &proto.DrainResponse{Unchanged: r.Host == "mb2"}, nil
}

func (n nfFake) Drain(_ context.Context, r *proto.DrainRequest) (*proto.DrainResponse, error) {
	return n.set(r, "drain")
}

func (n nfFake) Undrain(_ context.Context, r *proto.DrainRequest) (*proto.DrainResponse, error) {
	return n.set(r, "undrain")
}

// instances of the lab: mb1 works, mb3 is silent, mb2 is drained and its other NF busy.
func instances() *proto.ListNFsResponse {
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMilli() }
	nfCPU := uint32(412)
	return &proto.ListNFsResponse{
		PolicyVersion: 8,
		Instances: []*proto.NFInstance{
			{Type: "firewall", Name: "mb1", Host: "mb1", Address: "10.0.0.2", Address6: "fd00::2", Weight: 2, State: "ok",
				SinceUnixMs: ago(3 * time.Hour), Chosen: true, Share: 2,
				Load: &proto.LoadReport{CpuPermille: 234, TooBusyPermille: 900, NfCpuPermille: &nfCPU, Sessions: 1204, MaxSessions: 1048576, Packets: 90210, Drops: 3, Probe: proto.Probe_PROBE_PASSED}},
			{Type: "firewall", Name: "fw3", Host: "mb3", Address: "10.0.0.5", Weight: 1, State: "silent", Why: "its agent is not connected",
				SinceUnixMs: ago(12 * time.Second)},
			{Type: "ids", Host: "mb2", Address: "10.0.0.3", Weight: 1, State: "drained", Why: "by operator anna", SinceUnixMs: ago(time.Minute),
				Load: &proto.LoadReport{CpuPermille: 950, Sessions: 17, MaxSessions: 1048576}},
			{Type: "proxy", Name: "far", Address: "10.0.0.9", Weight: 1, State: "unknown", Why: "no host that is known has its address", Chosen: true, Share: 1},
		},
		Drains: []*proto.Drain{{Host: "mb2", By: "operator anna", SinceUnixMs: ago(time.Minute), LookedUnixMs: ago(time.Second),
			Left: 17, Moving: 15, Stuck: "its client 10.9.0.1 runs no agent"}},
	}
}

// leavingBy is the drain of a host as it goes on.
func leavingBy(host, nfType string, left ...int) []*proto.ListNFsResponse {
	list := []*proto.ListNFsResponse{instances()}
	for _, n := range left {
		answer := instances()
		d := &proto.Drain{Host: host, Type: nfType, By: "operator anna", SinceUnixMs: now.UnixMilli()}
		if n >= 0 {
			d.LookedUnixMs, d.Left, d.Moving = now.UnixMilli(), uint32(n), uint32(n)
		}
		answer.Drains = []*proto.Drain{d}
		list = append(list, answer)
	}
	return list
}

func TestGoldenDrain(t *testing.T) {
	domain := func() *fake {
		f := lab()
		f.nfs = []*proto.ListNFsResponse{instances()}
		return f
	}
	emptied := func(f *fake, _ *testWorld) { f.nfs = leavingBy("mb1", "", -1, 1204, 704, 0) }
	testGolden(t, domain, []goldenTest{
		{name: "help_nf", line: "help  nf"},
		{name: "help_nf_drain", line: "nf  drain  --help"},
		{name: "nf_list", line: "nf  list"},
		{name: "nf_list_json", line: "nf  list  --json"},
		{name: "nf_list_type", line: "nf  list  --type  firewall"},
		{name: "nf_list_type_none", line: "nf  list  --type  cache"},
		{name: "nf_list_none", line: "nf  list", set: func(f *fake, _ *testWorld) { f.nfs = nil }},
		{name: "nf_drain", line: "nf  drain  mb1"},
		{name: "nf_drain_json", line: "nf  drain  firewall/mb1  --json"},
		{name: "nf_drain_by_instance", line: "nf  drain  firewall/fw3"},
		{name: "nf_drain_again", line: "nf  drain  mb2"},
		{name: "nf_drain_nobody", line: "nf  drain  mb9"},
		{name: "nf_drain_no_host", line: "nf  drain  far"},
		{name: "nf_drain_no_operand", line: "nf  drain"},
		{name: "nf_drain_wait", line: "nf  drain  mb1  --wait", set: emptied},
		{name: "nf_drain_wait_terminal", line: "nf  drain  mb1  --wait", set: func(f *fake, w *testWorld) { emptied(f, w); w.width = 80 }},
		{name: "nf_drain_wait_json", line: "nf  drain  firewall/mb1  --wait  --json", set: func(f *fake, _ *testWorld) { f.nfs = leavingBy("mb1", "firewall", 7, 0) }},
		{name: "nf_drain_wait_late", line: "nf  drain  mb2  --wait", set: func(_ *fake, w *testWorld) { w.expireAt(3) }},
		{name: "nf_drain_wait_undrained", line: "nf  drain  mb1  --wait"},
		{name: "nf_undrain", line: "nf  undrain  mb1"},
		{name: "nf_undrain_json", line: "nf  undrain  mb2  --json"},
		{name: "nf_undrain_one", line: "nf  undrain  proxy/mb2"},
	}, func(*testWorld) {})
}

// One name of two hosts is not guessed at.
func TestDrainOfAnAmbiguousName(t *testing.T) {
	f := lab()
	answer := instances()
	answer.Instances[0].Name, answer.Instances[2].Name = "big", "big"
	f.nfs = []*proto.ListNFsResponse{answer}
	w := newTestWorld(t, f)
	if code := w.run(t.Context(), []string{"nf", "drain", "big"}); code != exitUsage || len(f.drained) > 0 {
		t.Errorf("exit status %d, drained %v: %s", code, f.drained, &w.err)
	}
	if code := w.run(t.Context(), []string{"nf", "drain", "ids/big"}); code != exitOK || len(f.drained) != 1 || f.drained[0] != "drain mb2 ids" {
		t.Errorf("exit status %d, drained %v: %s", code, f.drained, &w.err)
	}
}
