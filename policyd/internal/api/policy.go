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
	if p != nil && r.Live {
		live, missing, err := s.survey(ctx, push.AskFor, p, 0)
		if err != nil {
			return nil, err
		}
		found.Live = viewLive(live, missing)
	}
	return found, nil
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
			Line:    uint32(d.Line),
			Column:  uint32(d.Column),
			Message: d.Message,
			Text:    d.Text,
			Width:   uint32(d.Width),
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
	result, err := s.Cluster.Apply(ctx, store.Command{SetPolicy: &store.SetPolicy{
		Source:        r.Source,
		IfVersion:     r.IfVersion,
		AppliedUnixMS: time.Now().UnixMilli(),
	}})
	note(ctx, "sha256", fmt.Sprintf("%x", sha256.Sum256([]byte(r.Source))))
	if err != nil {
		s.Logger.Warn("policy not applied", "peer", peer(ctx), "error", err)
		return nil, coded(err)
	}
	s.Update(result.State)
	note(ctx, "policy_version", result.State.Policy.Version)
	answer := &proto.ApplyResponse{
		Version:   result.State.Policy.Version,
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
func (s policyService) Get(context.Context, *proto.GetRequest) (*proto.GetResponse, error) {
	state, err := s.Cluster.State()
	if err != nil {
		return nil, coded(err)
	}
	return &proto.GetResponse{
		Version:       state.Policy.Version,
		Source:        state.Policy.Source,
		AppliedUnixMs: state.Policy.AppliedUnixMS,
		Hosts:         s.Hub.Policies(),
	}, nil
}

// Explain implements PolicyService.
func (s policyService) Explain(_ context.Context, r *proto.ExplainRequest) (*proto.ExplainResponse, error) {
	tuple, err := fiveTuple(r.Tuple)
	if err != nil {
		return nil, err
	}
	d, err := s.Hub.Domain()
	if err != nil {
		return nil, coded(err)
	}
	e := d.Policy.Explain(d.Seed, tuple, d.Owners)
	answer := &proto.ExplainResponse{
		Version: d.State.Policy.Version,
		Why:     e.Why,
		Problem: e.Problem,
	}
	if e.Rule != nil {
		answer.Matched = true
		answer.Rule = uint32(e.Rule.Number)
		answer.RuleText = e.Rule.String()
		answer.Line = uint32(e.Rule.Line)
		answer.OnFailure = e.Rule.OnFailure.String()
	}
	for _, c := range e.Choices {
		answer.Hops = append(answer.Hops, &proto.ExplainHop{
			Type:        c.Type,
			Host:        c.Host,
			Address:     c.Address.String(),
			Weight:      c.Instance.Weight,
			TotalWeight: c.Total,
			Point:       uint64(c.Point),
		})
	}
	return answer, nil
}
