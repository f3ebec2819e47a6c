// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"mbchain/chain"
	"mbchain/proto"
)

// maxResets is what migration.proto promises for one query.
const maxResets = 1000

// Sockets are those of this host; see package sockdiag.
type Sockets interface {
	// Destroy ends the connection of which this host has the tuple's source.
	Destroy(ctx context.Context, t chain.FiveTuple) error
}

// answerReset ends the connections of sessions that begin here.
func (a *Agent) answerReset(ctx context.Context, q *proto.ResetQuery) (*proto.ResetAnswer, error) {
	if n := len(q.GetSessions()); n > maxResets {
		return nil, fmt.Errorf("%d sessions at once, %d are the limit", n, maxResets)
	}
	answer := &proto.ResetAnswer{}
	for _, id := range q.GetSessions() {
		if err := a.resetSession(ctx, id); err != nil {
			answer.Skipped = append(answer.Skipped, &proto.Skipped{Session: id, Reason: a.config.Host + ": " + err.Error()})
			continue
		}
		answer.Ended++
	}
	a.log.Info("sessions reset, as the policy wants", "policy_version", q.GetPolicyVersion(), "reset", answer.Ended,
		"skipped", len(answer.Skipped))
	return answer, nil
}

func (a *Agent) resetSession(ctx context.Context, id []byte) error {
	if len(id) != chain.SessionIDLen {
		return fmt.Errorf("a session id of %d bytes, it has %d", len(id), chain.SessionIDLen)
	}
	found, _, err := a.kernel.Sessions(ctx, id, 1)
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return errors.New("it is over")
	case found[0].GetRole() != proto.Role_ROLE_CLIENT:
		return errors.New("it does not begin here")
	case found[0].GetSuper().GetProtocol() != uint32(chain.ProtocolTCP):
		return errors.New("only TCP has connections")
	}
	t, err := superOf(found[0].GetSuper())
	if err != nil {
		return err
	}
	if a.config.Sockets == nil {
		return errors.New("this agent ends no connections")
	}
	return a.config.Sockets.Destroy(ctx, t)
}

// superOf reads a supersession that the module told.
func superOf(t *proto.Tuple) (chain.FiveTuple, error) {
	source, err := netip.ParseAddr(t.GetSource())
	if err != nil {
		return chain.FiveTuple{}, err
	}
	destination, err := netip.ParseAddr(t.GetDestination())
	if err != nil {
		return chain.FiveTuple{}, err
	}
	return chain.FiveTuple{
		Source:      netip.AddrPortFrom(source, uint16(t.GetSourcePort())),
		Destination: netip.AddrPortFrom(destination, uint16(t.GetDestinationPort())),
		Protocol:    uint8(t.GetProtocol()),
	}, nil
}
