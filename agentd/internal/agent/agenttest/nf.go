// SPDX-License-Identifier: Apache-2.0

package agenttest

import (
	"context"

	"mbchain/agentd/internal/kernel"
)

// FailNF makes SetNF fail from now on; nil: succeed.
func (m *Module) FailNF(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nfErr = err
}

// PutNF sets the NF as another program would, or a device that goes.
func (m *Module) PutNF(nf kernel.NF) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nf = nf
}

// NF returns how the NF gets its packets, and how often SetNF was called.
func (m *Module) NF() (kernel.NF, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nf, m.nfs
}

// SetNF implements agent.Kernel.
func (m *Module) SetNF(_ context.Context, nf kernel.NF) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nfs++
	switch {
	case m.absent:
		return kernel.ErrAbsent
	case m.nfErr != nil:
		return m.nfErr
	}
	m.nf = nf
	return nil
}
