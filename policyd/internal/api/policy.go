// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"mbchain/policy"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

type policyService struct{ *Server }

// Check implements PolicyService.
func (s policyService) Check(ctx context.Context, r *proto.CheckRequest) (*proto.CheckResponse, error) {
	p, found := check(r.Source)
	if p != nil && r.Hosts {
		state, err := s.Cluster.State()
		if err != nil {
			return nil, coded(err)
		}
		found.Warnings = append(found.Warnings, diagnostics(p.CheckHosts(knownHosts(state)))...)
	}
	if p != nil && r.Live {
		live, missing, err := s.survey(ctx, push.AskFor, p, 0)
		if err != nil {
			return nil, err
		}
		found.Live = viewLive(live, missing)
	}
	return found, nil
}

// knownHosts are the hosts that a policy is compared with.
func knownHosts(state *store.State) []policy.Host {
	hosts := make([]policy.Host, len(state.Hosts))
	for i, h := range state.Hosts {
		hosts[i] = policy.Host{Name: h.Name, Addresses: h.Addresses, NFTypes: h.NFTypes}
	}
	return hosts
}

// check parses a policy text. The policy is nil when the text is wrong.
func check(source string) (*policy.Policy, *proto.CheckResponse) {
	p, err := policy.Parse(source)
	if err != nil {
		var errs policy.Errors
		if !errors.As(err, &errs) {
			errs = policy.Errors{{Line: 1, Column: 1, Width: 1, Message: err.Error()}}
		}
		return nil, &proto.CheckResponse{Errors: diagnostics(errs)}
	}
	return p, &proto.CheckResponse{
		Rules:     uint32(len(p.Rules)),
		Types:     uint32(len(p.Types)),
		Instances: uint32(p.Instances()),
		Warnings:  diagnostics(p.Warnings),
	}
}

func diagnostics(list []policy.Diagnostic) []*proto.Diagnostic {
	var to []*proto.Diagnostic
	for _, d := range list {
		to = append(to, &proto.Diagnostic{
			Line:     uint32(d.Line),
			Column:   uint32(d.Column),
			Message:  d.Message,
			Text:     d.Text,
			Width:    uint32(d.Width),
			Document: d.Document,
		})
	}
	return to
}

// Apply implements PolicyService.
func (s policyService) Apply(ctx context.Context, r *proto.ApplyRequest) (*proto.ApplyResponse, error) {
	p, found := check(r.Source)
	if p == nil {
		return nil, wrongPolicy(found)
	}
	number, err := requestNumber(ctx)
	if err != nil {
		return nil, err
	}
	result, err := s.Cluster.Apply(ctx, store.Command{Request: number, SetPolicy: &store.SetPolicy{
		Source:        r.Source,
		IfVersion:     r.IfVersion,
		AppliedUnixMS: time.Now().UnixMilli(),
		By:            callerIn(ctx).String(),
		RollbackOf:    r.RollbackOf,
	}})
	note(ctx, "sha256", fmt.Sprintf("%x", sha256.Sum256([]byte(r.Source))))
	if err != nil {
		s.Logger.Warn("policy not applied", "peer", peer(ctx), "error", err)
		return nil, coded(err)
	}
	s.Update(result.State)
	note(ctx, "policy_version", result.State.Policy.Version)
	answer := &proto.ApplyResponse{
		Version:   result.PolicyVersion,
		Rules:     found.Rules,
		Hosts:     uint32(s.Hub.Counts().Connected),
		Unchanged: !result.Changed,
		Warnings:  found.Warnings,
	}
	if result.Changed {
		s.Logger.Info("policy applied", "policy_version", answer.Version, "rules", answer.Rules, "hosts", answer.Hosts, "peer", peer(ctx))
	}
	s.leaveFollowUp(ctx, answer, p)
	return answer, nil
}

// wrongPolicy carries the findings as a detail of the error.
func wrongPolicy(found *proto.CheckResponse) error {
	first := found.Errors[0]
	err := invalid("policy: %d:%d: %s", first.Line, first.Column, first.Message)
	if detail, detailErr := connect.NewErrorDetail(found); detailErr == nil {
		err.AddDetail(detail)
	}
	return err
}

// Get implements PolicyService.
func (s policyService) Get(ctx context.Context, r *proto.GetRequest) (*proto.GetResponse, error) {
	if requestHeader(ctx, headerRead) == readLocal {
		return s.getCopy(r.Version)
	}
	state, err := s.Cluster.Confirm()
	if err != nil {
		return nil, coded(err)
	}
	answer, err := viewPolicy(state, r.Version)
	if err == nil && answer.Version == state.Policy.Version {
		answer.Hosts = s.Hub.Policies()
	}
	return answer, err
}

// getCopy answers with what this node has, leader or not. What hosts say is
// known to the leader alone.
func (s policyService) getCopy(version uint64) (*proto.GetResponse, error) {
	state, err := s.Cluster.Copy()
	if err != nil {
		return nil, coded(err)
	}
	return viewPolicy(state, version)
}

// viewPolicy shows the running policy, or that of a version.
func viewPolicy(state *store.State, version uint64) (*proto.GetResponse, error) {
	p := state.Policy
	if version != 0 {
		var err error
		if p, err = at(state, version); err != nil {
			return nil, err
		}
	}
	return &proto.GetResponse{
		Version:       p.Version,
		Source:        p.Source,
		AppliedUnixMs: p.AppliedUnixMS,
		By:            p.By,
		RollbackOf:    p.RollbackOf,
	}, nil
}

// Explain implements PolicyService, with this node's own copy of the policy.
func (s policyService) Explain(_ context.Context, r *proto.ExplainRequest) (*proto.ExplainResponse, error) {
	tuple, err := fiveTuple(r.Tuple)
	if err != nil {
		return nil, err
	}
	if state, err := s.Cluster.Copy(); err == nil && state.IsSetUp() {
		s.Hub.Update(state)
	}
	d, err := s.Hub.Domain()
	if err != nil {
		return nil, coded(err)
	}
	e := d.Chosen.Explain(d.Seed, tuple, d.Owners)
	answer := &proto.ExplainResponse{
		Version: d.State.Policy.Version,
		Why:     e.Why,
		Problem: e.Problem,
	}
	if e.Rule != nil {
		answer.Matched = true
		answer.Rule = uint32(e.Rule.Number)
		answer.RuleText = e.Rule.String()
		answer.RuleName = e.Rule.Name
		answer.Line = uint32(e.Rule.Line)
		answer.Document = e.Rule.Document
		answer.OnFailure = e.Rule.OnFailure.String()
	}
	for _, c := range e.Choices {
		address := ""
		if c.Address.IsValid() {
			address = c.Address.String()
		}
		answer.Hops = append(answer.Hops, &proto.ExplainHop{
			Type:        c.Type,
			Host:        c.Host,
			Address:     address,
			Weight:      c.Instance.Weight,
			TotalWeight: c.Total,
			Point:       uint64(c.Point),
		})
	}
	return answer, nil
}
