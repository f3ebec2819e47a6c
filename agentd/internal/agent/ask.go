// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"fmt"

	"mbchain/proto"
)

// Ask passes on to policyd what a program of this host wants for a session.
func (a *Agent) Ask(ctx context.Context, r *proto.AskRequest) (*proto.AskResponse, error) {
	log := a.log.With("session", sessionID(r.GetSession()), "nf_type", r.GetInsert().GetNfType())
	answer, err := a.policyd.Ask(ctx, r)
	if err != nil {
		log.Info("change of a session's chain refused", "error", err)
		return nil, err
	}
	log.Info("change of a session's chain asked for", "job", fmt.Sprintf("%016x", answer.GetJob()),
		"migration", fmt.Sprintf("%016x", answer.GetId()))
	return answer, nil
}
