// SPDX-License-Identifier: Apache-2.0

package push

import (
	"time"

	"mbchain/policyd/internal/health"
	"mbchain/proto"
	"mbchain/proto/delta"
)

// host is what the hub knows of one host beside its record in the state. It
// is lost with the process: the agents tell it again. Hub.mu guards it.
type host struct {
	stream   *stream // nil: not connected
	lastSeen time.Time
	status   *proto.HostStatus // as last reported; read-only

	offered offer
	running uint64       // version that it says it runs
	inSync  bool         // has acknowledged the newest offer
	refusal string       // why it refused offered.version; empty: it did not
	loaded  uint64       // State.Index of the newest subpolicy that it acknowledged
	held    *delta.Whole // that one; nil: none

	health *health.Machine
	load   *proto.LoadReport // as last reported, nil: never; read-only
}

// newHost is a host of which nothing was heard since a time.
func newHost(since time.Time) *host { return &host{health: health.New(since)} }

// offer is the newest subpolicy push to a host.
type offer struct {
	nonce   uint64 // 0: none on the present stream
	version uint64
	index   uint64 // State.Index that it was made from
	rules   uint32
	whole   *delta.Whole // what it comes to
	change  bool         // it was not sent whole
}

// offer notes a push. A refusal stands until the host has said something about
// that version, or is offered another.
func (h *host) offer(o offer) {
	if o.version != h.offered.version {
		h.refusal = ""
	}
	h.offered = o
	h.inSync = false
}

// acknowledge notes what a host says about a push: that it runs version, and,
// if it refused, why. It reports whether that was the newest offer.
func (h *host) acknowledge(nonce, version uint64, refusal string) bool {
	h.running = version
	if nonce != h.offered.nonce {
		return false
	}
	h.refusal = refusal
	h.inSync = refusal == "" && version == h.offered.version
	if refusal == "" {
		h.loaded, h.held = h.offered.index, h.offered.whole
	}
	return true
}
