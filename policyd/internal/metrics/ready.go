// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// catchUp is how long Ready waits for what was committed when it was asked to be
	// applied, so that a node under load does not count as one that is behind.
	catchUp = 500 * time.Millisecond
	poll    = 5 * time.Millisecond
)

// Ready returns what says why a node cannot serve; nil: it can. It waits a moment for
// this node's own log, and for nobody else.
func Ready(n Node) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, catchUp)
		defer cancel()
		asked := n.Stats()
		if !asked.Leader {
			return fmt.Errorf("no leader is known, this node is a %s: do most nodes of the cluster run, and reach each other?", asked.State)
		}
		if _, err := n.Copy(); err != nil {
			return fmt.Errorf("the log cannot be applied: %w", err)
		}
		ticker := time.NewTicker(poll)
		defer ticker.Stop()
		for applied := asked.AppliedIndex; applied < asked.CommitIndex; applied = n.Stats().AppliedIndex {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return fmt.Errorf("the log is applied up to entry %d of %d: wait, this node is catching up", applied, asked.CommitIndex)
			}
		}
		if asked.CommitIndex == 0 {
			return errors.New("nothing is committed yet: wait, this node has just started")
		}
		return nil
	}
}
