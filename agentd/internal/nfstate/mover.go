// SPDX-License-Identifier: Apache-2.0

package nfstate

import (
	"context"
	"errors"
	"fmt"

	"mbchain/agentd/internal/lock"
	"mbchain/chain"
)

// MaxState is how long the state of one session may be, in bytes.
const MaxState = 1 << 20

// What a caller may test an error for.
var (
	// ErrNoState: the NF has none of that session.
	ErrNoState = errors.New("the network function has no state of the session")
	// ErrNoProgram: method exec, and agentd was given no program.
	ErrNoProgram = errors.New("no program moves state on this host: start agentd with --nf-state")
)

// A Mover moves state from and to this host's NF. It may be used by several
// goroutines at once.
type Mover struct {
	program program
}

// New returns a mover that runs the program at this path by method exec; empty: it
// cannot.
func New(path string) *Mover { return &Mover{program(path)} }

// Export returns a copy of the state of a session; the NF goes on with its own.
func (m *Mover) Export(ctx context.Context, method lock.Method, super chain.FiveTuple) ([]byte, error) {
	switch method {
	case lock.Conntrack:
		return exportFlow(super)
	case lock.Exec:
		return m.program.run(ctx, "export", super, nil)
	}
	return nil, fmt.Errorf("export state by method %v", method)
}

// Import gives state to the NF here, in the place of what it may have.
func (m *Mover) Import(ctx context.Context, method lock.Method, super chain.FiveTuple, state []byte) error {
	if len(state) > MaxState {
		return fmt.Errorf("state of %d bytes, %d are the limit", len(state), MaxState)
	}
	switch method {
	case lock.Conntrack:
		return importFlow(super, state)
	case lock.Exec:
		_, err := m.program.run(ctx, "import", super, state)
		return err
	}
	return fmt.Errorf("import state by method %v", method)
}

// Drop has the NF forget the session. One that it does not know is dropped already.
func (m *Mover) Drop(ctx context.Context, method lock.Method, super chain.FiveTuple) error {
	switch method {
	case lock.Conntrack:
		return dropFlow(super)
	case lock.Exec:
		_, err := m.program.run(ctx, "drop", super, nil)
		return err
	}
	return fmt.Errorf("drop state by method %v", method)
}
