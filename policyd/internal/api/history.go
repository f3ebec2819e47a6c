// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// at returns a policy that is kept.
func at(state *store.State, version uint64) (store.Policy, error) {
	p, ok := state.At(version)
	if !ok {
		return p, connect.NewError(connect.CodeNotFound, fmt.Errorf("policy version %d is not kept; %s", version, kept(state)))
	}
	return p, nil
}

// kept says which versions there are.
func kept(state *store.State) string {
	running := state.Policy.Version
	switch {
	case running == 0:
		return "none was ever applied"
	case len(state.History) == 0:
		return fmt.Sprintf("version %d runs, and none is older", running)
	}
	return fmt.Sprintf("version %d runs, and %d to %d are kept", running, state.History[len(state.History)-1].Version, state.History[0].Version)
}

// History implements PolicyService.
func (s policyService) History(context.Context, *proto.HistoryRequest) (*proto.HistoryResponse, error) {
	state, err := s.Cluster.Confirm()
	if err != nil {
		return nil, coded(err)
	}
	answer := &proto.HistoryResponse{}
	if state.Policy.Version == 0 {
		return answer, nil
	}
	for _, p := range append([]store.Policy{state.Policy}, state.History...) {
		answer.Versions = append(answer.Versions, &proto.PolicyVersion{
			Version:       p.Version,
			AppliedUnixMs: p.AppliedUnixMS,
			By:            p.By,
			Bytes:         uint32(len(p.Source)),
			RollbackOf:    p.RollbackOf,
		})
	}
	return answer, nil
}
