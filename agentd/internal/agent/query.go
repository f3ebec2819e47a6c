// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"mbchain/agentd/internal/subpolicy"
	"mbchain/chain"
	"mbchain/proto"
)

// maxPeers is how many neighbours a status lists, as common.proto promises.
const maxPeers = 64

// defaultLimit is what agent.proto promises for a limit of 0.
const defaultLimit = 10000

// Registration returns what policyd should know of this host now, and its last good
// subpolicy, nil if there is none.
func (a *Agent) Registration(ctx context.Context) (*proto.SubscribeRequest, *proto.Subpolicy) {
	addresses, err := a.config.Addresses()
	if err != nil {
		a.log.Warn("addresses not read", "error", err)
	}
	if addresses == nil {
		addresses = []netip.Addr{}
	}
	a.mu.Lock()
	a.registered = addresses
	good := a.good
	a.mu.Unlock()
	status := a.Status(ctx)
	r := &proto.SubscribeRequest{
		NfTypes: a.config.NFTypes, Gateway: a.config.Gateway, RunningVersion: status.GetPolicyVersion(), Status: status,
	}
	for _, addr := range addresses {
		r.Addresses = append(r.Addresses, addr.String())
	}
	return r, good
}

// Running returns the version of the subpolicy that the module had in force when it
// was last asked, 0 if it had none.
func (a *Agent) Running() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status.Running
}

// Offer hands a subpolicy of policyd to the machine.
func (a *Agent) Offer(ctx context.Context, ref subpolicy.Ref, sub *proto.Subpolicy) {
	select {
	case a.offers <- subpolicy.Offered{Ref: ref, Subpolicy: sub}:
	case <-ctx.Done():
	}
}

// Answer answers a query of policyd.
func (a *Agent) Answer(ctx context.Context, query *proto.Query) *proto.AnswerRequest {
	answer := new(proto.AnswerRequest)
	var err error
	switch q := query.GetBody().(type) {
	case *proto.Query_Sessions:
		limit := int(q.Sessions.GetLimit())
		if limit == 0 {
			limit = defaultLimit
		}
		answer.Sessions, answer.Truncated, err = a.Sessions(ctx, q.Sessions.GetId(), limit)
	case *proto.Query_Stats:
		answer.Counters, err = a.Counters(ctx)
		answer.Status = a.Status(ctx)
	case *proto.Query_Status:
		answer.Status = a.Status(ctx)
	case *proto.Query_Examine:
		answer.Examination, err = a.Examine(ctx)
	case *proto.Query_Migrate, *proto.Query_Migrations, *proto.Query_Abort:
		err = a.answerMigrations(answer, query)
	case *proto.Query_EndSessions:
		answer.EndedSessions, err = a.answerReset(ctx, q.EndSessions)
	default:
		err = fmt.Errorf("answer query: agentd %s does not know it", a.config.AgentVersion)
	}
	if err != nil {
		answer.Error = err.Error()
	}
	return answer
}

// Sessions returns at most limit sessions whose id begins with prefix, in the
// order of their ids, and whether there are more.
func (a *Agent) Sessions(ctx context.Context, prefix []byte, limit int) ([]*proto.Session, bool, error) {
	if len(prefix) > chain.SessionIDLen {
		return nil, false, fmt.Errorf("list sessions: id has %d bytes, %d are the limit", len(prefix), chain.SessionIDLen)
	}
	sessions, more, err := a.kernel.Sessions(ctx, prefix, limit)
	for _, s := range sessions {
		s.Host = a.config.Host
	}
	return sessions, more, err
}

// Counters returns the module's counters.
func (a *Agent) Counters(ctx context.Context) ([]*proto.Counter, error) {
	return a.kernel.Counters(ctx)
}

// Status returns what there is to say of the host. Without a module its part
// is empty, and policy_error says why.
func (a *Agent) Status(ctx context.Context) *proto.HostStatus {
	a.mu.Lock()
	machine, nfErr := a.status, a.nfErr
	a.mu.Unlock()
	s := &proto.HostStatus{
		Host:             a.config.Host,
		AgentVersion:     a.config.AgentVersion,
		Kernel:           a.config.KernelRelease,
		PolicydConnected: a.policyd.Connected(),
		UptimeMs:         uint64(time.Since(a.began).Milliseconds()),
		Policyd:          a.policyd.Address(),
		OfferedVersion:   machine.Offered,
		PolicyError:      machine.Problem,
		OutOfBand:        a.config.OutOfBand,
	}
	info, err := a.kernel.Info(ctx)
	if err != nil {
		s.PolicyError = err.Error()
		return s
	}
	s.ModuleVersion = info.ModuleVersion
	s.Sessions, s.MaxSessions = info.Sessions, info.MaxSessions
	s.SessionBytes, s.TableBytes = info.SessionBytes, info.TableBytes
	s.PolicyVersion, s.Rules = info.Version, info.Rules
	s.Nf = info.NF.String()
	if nfErr != nil {
		s.NfError = nfErr.Error()
	}
	peers, err := a.kernel.Peers(ctx)
	if err != nil {
		a.log.Debug("neighbours not read", "error", err)
	}
	if len(peers) > maxPeers {
		s.MorePeers = uint32(len(peers) - maxPeers)
		peers = peers[:maxPeers]
	}
	s.Peers = peers
	return s
}
