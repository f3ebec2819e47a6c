// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"
)

// slow is how many times slower than others the guest's kernel is: the debug
// kernel checks every access to memory.
var slow = slowness()

// slowness is what tests/vm/run says.
func slowness() int64 {
	n, err := strconv.ParseInt(os.Getenv("MBCHAIN_SLOW"), 10, 64)
	if err != nil {
		return 1
	}
	return max(n, 1)
}

// Deadlines. They are only reached when something is broken, and the processor
// may be an emulated one that shares its host: they are long.
var (
	soon = time.Duration(slow) * time.Minute // what takes some round trips
	late = 5 * soon                          // what moves much data, or waits for timers of TCP
)

// amount is how much data is moved where n bytes would be by a kernel that is
// not slow. It is to be more than what sockets hold, or nothing waits.
func amount(n int64) int64 { return n / slow }

// soaking says whether there is time for every combination.
func soaking() bool { return os.Getenv("MBCHAIN_SOAK") == "1" }

// sampled is how much of something a test does: all of it in a soak.
func sampled(part, all int64) int64 {
	if soaking() {
		return all
	}
	return part
}

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
