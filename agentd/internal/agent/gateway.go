// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"

	"mbchain/agentd/internal/kernel"
)

// standIn makes the module a gateway, or none, as configured: one that was loaded
// anew is none. The next probe tries again.
func (f *follower) standIn(ctx context.Context, info kernel.Info) {
	want := f.config.Gateway
	if info.Gateway == want {
		return
	}
	if err := f.kernel.SetGateway(ctx, want); err != nil {
		if ctx.Err() == nil {
			f.log.Warn("gateway not set, tried again every second", "gateway", want, "error", err)
		}
		return
	}
	f.log.Info("gateway set", "gateway", want)
}
