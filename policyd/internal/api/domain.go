// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"mbchain/proto"
)

const (
	// maxSessions is the most that one host is asked for.
	maxSessions = 10000
	// maxAllSessions bounds the answer for all hosts together, and with it
	// the memory that one request can take.
	maxAllSessions = 200000
)

type domainService struct{ *Server }

// GetStatus implements DomainService. It answers whether policyd is ready or
// not.
func (s domainService) GetStatus(context.Context, *proto.GetStatusRequest) (*proto.GetStatusResponse, error) {
	status, counts := s.Cluster.Status(), s.Hub.Counts()
	answer := &proto.GetStatusResponse{
		Version:        s.Version,
		State:          status.State,
		AppliedIndex:   status.AppliedIndex,
		Hosts:          uint32(counts.Known),
		HostsConnected: uint32(counts.Connected),
		HostsInSync:    uint32(counts.InSync),
		UptimeMs:       uint64(time.Since(s.started).Milliseconds()),
	}
	if state, err := s.Cluster.State(); err == nil {
		answer.PolicyVersion = state.Policy.Version
	}
	return answer, nil
}

// ListHosts implements DomainService. It asks the hosts first, since what they
// said when they connected is old news; one that does not answer is shown as it
// last reported.
func (s domainService) ListHosts(ctx context.Context, _ *proto.ListHostsRequest) (*proto.ListHostsResponse, error) {
	if _, err := s.Cluster.State(); err != nil {
		return nil, coded(err)
	}
	if _, _, err := s.Hub.Ask(ctx, "", &proto.Query{Body: &proto.Query_Status{Status: &proto.StatusQuery{}}}); err != nil {
		return nil, coded(err)
	}
	return &proto.ListHostsResponse{Hosts: s.Hub.Hosts()}, nil
}

// ListSessions implements DomainService.
func (s domainService) ListSessions(ctx context.Context, r *proto.ListSessionsRequest) (*proto.ListSessionsResponse, error) {
	if err := checkSessionsRequest(r); err != nil {
		return nil, err
	}
	limit := s.sessionLimit(r)
	answers, missing, err := s.Hub.Ask(ctx, r.Host, &proto.Query{Body: &proto.Query_Sessions{
		Sessions: &proto.SessionQuery{Id: r.Id, Limit: limit},
	}})
	if err != nil {
		return nil, coded(err)
	}
	all := &proto.ListSessionsResponse{Missing: missing}
	for _, a := range answers {
		sessions := a.Sessions
		if len(sessions) > int(limit) {
			sessions, all.Truncated = sessions[:limit], true
		}
		for _, session := range sessions {
			session.Host = a.Host // whatever it says of itself
		}
		all.Sessions = append(all.Sessions, sessions...)
		all.Truncated = all.Truncated || a.Truncated
	}
	return all, nil
}

// sessionLimit is how many sessions each host may answer with.
func (s domainService) sessionLimit(r *proto.ListSessionsRequest) uint32 {
	limit := r.Limit
	if limit == 0 {
		limit = maxSessions
	}
	if hosts := s.Hub.Counts().Connected; r.Host == "" && hosts > 0 {
		limit = min(limit, uint32(max(maxAllSessions/hosts, 1)))
	}
	return limit
}

// Examine implements DomainService. It asks one host: each sends packets to others.
func (s domainService) Examine(ctx context.Context, r *proto.ExamineRequest) (*proto.ExamineResponse, error) {
	if err := checkHostName(r.Host); err != nil {
		return nil, err
	}
	answers, missing, err := s.Hub.Ask(ctx, r.Host, &proto.Query{Body: &proto.Query_Examine{Examine: &proto.ExamineQuery{}}})
	if err != nil {
		return nil, coded(err)
	}
	answer := &proto.ExamineResponse{Missing: missing}
	for _, a := range answers {
		answer.Examination = a.Examination
	}
	return answer, nil
}

// GetStats implements DomainService.
func (s domainService) GetStats(ctx context.Context, r *proto.GetStatsRequest) (*proto.GetStatsResponse, error) {
	if r.Host != "" {
		if err := checkHostName(r.Host); err != nil {
			return nil, err
		}
	}
	answers, missing, err := s.Hub.Ask(ctx, r.Host, &proto.Query{Body: &proto.Query_Stats{Stats: &proto.StatsQuery{}}})
	if err != nil {
		return nil, coded(err)
	}
	all := &proto.GetStatsResponse{Missing: missing}
	for _, a := range answers {
		all.Hosts = append(all.Hosts, &proto.HostStats{Host: a.Host, Counters: a.Counters, Status: a.Status})
	}
	return all, nil
}
