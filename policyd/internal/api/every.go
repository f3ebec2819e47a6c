// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"
)

// every calls look again and again, with so much time between the beginnings of two
// calls, for the first time after that time, until ctx ends.
func every(ctx context.Context, interval time.Duration, look func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			look()
		}
	}
}
