// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"context"

	"mbchain/agentd/internal/kernel"
)

// Gateway reports whether it stands in for clients without an agent.
func (m *Module) Gateway() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gateway
}

// SetGateway implements agent.Kernel.
func (m *Module) SetGateway(_ context.Context, gateway bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.absent {
		return kernel.ErrAbsent
	}
	m.gateway = gateway
	return nil
}
