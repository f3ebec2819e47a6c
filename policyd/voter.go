// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"mbchain/identity"
)

// tellEvery is how often a refusal on the Raft port is logged as a warning: who can
// reach it must not fill the disk.
const tellEvery = time.Second

// refusals logs who was not let in on the Raft port.
type refusals struct {
	log *slog.Logger

	mu   sync.Mutex
	last time.Time
}

func (r *refusals) add(from net.Addr, err error) {
	r.mu.Lock()
	now, level := time.Now(), slog.LevelDebug
	if now.Sub(r.last) >= tellEvery {
		r.last, level = now, slog.LevelWarn
	}
	r.mu.Unlock()
	log := r.log.With("peer", from, "reason", identity.Reason(err))
	log.Log(context.Background(), level, "voter refused", "error", err)
}
