// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"mbchain/chain"
	"mbchain/policy"
	"mbchain/policyd/internal/plan"
	"mbchain/proto"
)

// maxAsks is how many requests of hosts are worked on at once: each makes policyd ask
// two or three hosts, and NFs are many.
const maxAsks = 64

// Ask implements AgentService.
func (s agentService) Ask(ctx context.Context, r *proto.AskRequest) (*proto.AskResponse, error) {
	want, err := checkAsk(r)
	if err != nil {
		return nil, err
	}
	if err := s.mayBe(ctx, r.Host); err != nil {
		return nil, err
	}
	note(ctx, "session", hexBytes(r.Session))
	note(ctx, "change", want.String())
	select {
	case s.asks <- struct{}{}:
		defer func() { <-s.asks }()
	default:
		return nil, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("ask: %d requests of hosts are being worked on, ask again later", maxAsks))
	}
	answer, err := s.ask(ctx, r.Session, want)
	log := s.Logger.With("host", want.Host, "session", hexBytes(r.Session), "change", want.String())
	if err != nil {
		log.Info("change asked for by a host refused", "decision", connect.CodeOf(err).String(), "error", err)
		return nil, err
	}
	log.Info("change asked for by a host begun", "decision", "begun", "job", hex64(answer.Job))
	return answer, nil
}

func (s agentService) ask(ctx context.Context, session []byte, want plan.Ask) (*proto.AskResponse, error) {
	moves := migrationService(s)
	found, missing, err := moves.records(ctx, []string{want.Host}, session)
	switch {
	case err != nil:
		return nil, err
	case len(missing) > 0:
		return nil, connect.NewError(connect.CodeUnavailable, fmt.Errorf("ask: %s: %s", want.Host, missing[0].Error))
	case len(found[want.Host].Sessions) == 0:
		return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("ask: %s does not carry session %x", want.Host, session))
	}
	d, err := s.Hub.Domain()
	if err != nil {
		return nil, coded(err)
	}
	domain := planDomain(d, nil)
	p := d.Policy
	if want.Type != "" { // who comes is one that gets new sessions
		p = d.Chosen
	}
	change, err := domain.Allow(p, d.Seed, want, found[want.Host].Sessions[0])
	if errors.As(err, new(*plan.Denied)) {
		return nil, connect.NewError(connect.CodePermissionDenied, err)
	}
	if err != nil {
		return nil, notPossible(session, err)
	}
	answers, _, err := moves.records(ctx, change.Concerned(), session)
	if err != nil {
		return nil, err
	}
	wishes, skipped := domain.Plans(&change, &plan.Selection{Prefix: session}, answers)
	switch {
	case len(skipped) > 0:
		return nil, notPossible(session, errors.New(skipped[0].Reason))
	case len(wishes) != 1:
		return nil, notPossible(session, fmt.Errorf("%s does not carry it any more", want.Host))
	}
	begun := &proto.StartMigrationsResponse{}
	moves.begin(ctx, begun, wishes)
	s.tellBegun(ForHost, begun.Begun)
	if len(begun.Migrations) != 1 {
		return nil, connect.NewError(connect.CodeUnavailable, fmt.Errorf("ask: %s, which would lead the change: %s",
			begun.Missing[0].Host, begun.Missing[0].Error))
	}
	return &proto.AskResponse{Job: begun.Job, Id: begun.Migrations[0].Id, Session: session}, nil
}

func notPossible(session []byte, err error) error {
	return connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("session %x stays as it is: %w", session, err))
}

// checkAsk reads an AskRequest.
func checkAsk(r *proto.AskRequest) (plan.Ask, error) {
	if err := checkHostName(r.Host); err != nil {
		return plan.Ask{}, err
	}
	if len(r.Session) != chain.SessionIDLen {
		return plan.Ask{}, invalid("session: %d bytes, a session id has %d", len(r.Session), chain.SessionIDLen)
	}
	switch want := r.Want.(type) {
	case *proto.AskRequest_Leave:
		return plan.Ask{Host: r.Host}, nil
	case *proto.AskRequest_Insert:
		name := want.Insert.GetNfType()
		if name == "" || len(name) > policy.MaxTypeName || !printable(name) {
			return plan.Ask{}, invalid("nf_type: %q is not a name of 1 to %d characters", name, policy.MaxTypeName)
		}
		return plan.Ask{Host: r.Host, Type: name}, nil
	}
	return plan.Ask{}, invalid("want: none of leave and insert is given")
}

func hexBytes(b []byte) string { return hex.EncodeToString(b) }
