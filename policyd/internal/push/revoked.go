// SPDX-License-Identifier: Apache-2.0

package push

import (
	"slices"
	"time"

	"mbchain/identity"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// sameMembers says whether nobody joined, and nobody was revoked, between two states.
func sameMembers(a, b *store.State) bool {
	return slices.EqualFunc(a.Members, b.Members, func(x, y store.Member) bool {
		return x.Role == y.Role && x.Name == y.Name && x.Epoch == y.Epoch
	})
}

// revocations are those of hosts whose certificates could still be alive.
func revocations(s *store.State, now time.Time) *proto.Revocations {
	list := &proto.Revocations{}
	for _, m := range s.Members {
		since := time.UnixMilli(max(m.JoinedUnixMS, m.RevokedUnixMS))
		if m.Role == identity.Agent.String() && m.Epoch > 1 && now.Sub(since) < identity.DaemonLife {
			list.Hosts = append(list.Hosts, &proto.Revocation{Name: m.Name, Epoch: m.Epoch})
		}
	}
	return list
}

// sendRevocations says nothing where there is nothing to say and nothing was.
func (h *Hub) sendRevocations(s *stream) error {
	d, err := h.Domain()
	if err != nil {
		return err
	}
	list := revocations(d.State, time.Now())
	if len(list.Hosts) == 0 && !s.toldRevoked {
		return nil
	}
	s.toldRevoked = true
	return s.push(h.nextNonce(), &proto.Push{Body: &proto.Push_Revocations{Revocations: list}})
}
