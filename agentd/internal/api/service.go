// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"mbchain/chain"
	"mbchain/proto"
)

// defaultLimit is what host.proto promises for a limit of 0.
const defaultLimit = 10000

// A Host is who the answers are about.
type Host interface {
	Name() string
	Status(ctx context.Context) *proto.HostStatus
	// Sessions returns at most limit sessions whose id begins with prefix, 0:
	// all, and whether there are more.
	Sessions(ctx context.Context, prefix []byte, limit int) ([]*proto.Session, bool, error)
	Counters(ctx context.Context) ([]*proto.Counter, error)
	// Examine returns what there is to find out of the host, see package examine.
	Examine(ctx context.Context) (*proto.Examination, error)
	// Ask passes a request on to policyd; a refusal is a [connect.Error].
	Ask(ctx context.Context, r *proto.AskRequest) (*proto.AskResponse, error)
}

// Service implements LocalService.
type Service struct{ host Host }

// NewService returns the service of one host.
func NewService(host Host) *Service { return &Service{host} }

// GetStatus answers what the agent says of its host.
func (s *Service) GetStatus(ctx context.Context, _ *proto.GetLocalStatusRequest) (*proto.GetLocalStatusResponse, error) {
	return &proto.GetLocalStatusResponse{Status: s.host.Status(ctx)}, nil
}

// ListSessions answers the host's part of sessions.
func (s *Service) ListSessions(ctx context.Context, r *proto.ListSessionsRequest) (*proto.ListSessionsResponse, error) {
	if len(r.GetId()) > chain.SessionIDLen {
		return nil, connect.NewError(connect.CodeInvalidArgument,
			fmt.Errorf("list sessions: id has %d bytes, %d are the limit", len(r.GetId()), chain.SessionIDLen))
	}
	if missing := s.notHere(r.GetHost()); missing != nil {
		return &proto.ListSessionsResponse{Missing: missing}, nil
	}
	limit := int(r.GetLimit())
	if limit == 0 {
		limit = defaultLimit
	}
	sessions, more, err := s.host.Sessions(ctx, r.GetId(), limit)
	if err != nil {
		return nil, unavailable(err)
	}
	return &proto.ListSessionsResponse{Sessions: sessions, Truncated: more}, nil
}

// GetStats answers the host's counters.
func (s *Service) GetStats(ctx context.Context, r *proto.GetStatsRequest) (*proto.GetStatsResponse, error) {
	if missing := s.notHere(r.GetHost()); missing != nil {
		return &proto.GetStatsResponse{Missing: missing}, nil
	}
	counters, err := s.host.Counters(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	return &proto.GetStatsResponse{Hosts: []*proto.HostStats{{
		Host: s.host.Name(), Counters: counters, Status: s.host.Status(ctx),
	}}}, nil
}

// Examine examines the host.
func (s *Service) Examine(ctx context.Context, r *proto.ExamineRequest) (*proto.ExamineResponse, error) {
	if missing := s.notHere(r.GetHost()); missing != nil {
		return &proto.ExamineResponse{Missing: missing}, nil
	}
	x, err := s.host.Examine(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	return &proto.ExamineResponse{Examination: x}, nil
}

// notHere says who is missing when another host than this one is asked for.
func (s *Service) notHere(host string) []*proto.Missing {
	if host == "" || host == s.host.Name() {
		return nil
	}
	return []*proto.Missing{{Host: host, Error: "this is the agent of " + s.host.Name()}}
}

// unavailable is how the module's failures look from outside: to ask again
// later may help.
func unavailable(err error) error { return connect.NewError(connect.CodeUnavailable, err) }
