// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"testing"
	"time"
)

// Deadlines. They are only reached when something is broken, and the processor
// may be an emulated one that shares its host: they are long.
const (
	soon = time.Minute     // what takes some round trips
	late = 5 * time.Minute // what moves much data, or waits for timers of TCP
)

// pollEvery is how often a condition is looked at.
const pollEvery = 20 * time.Millisecond

// eventually fails the test with check's last error unless check returns nil
// before the limit.
func eventually(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not after %v: %v", limit, err)
		case <-tick.C:
		}
	}
}
