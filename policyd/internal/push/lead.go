// SPDX-License-Identifier: Apache-2.0

package push

import (
	"time"

	"mbchain/policyd/internal/store"
)

// Lead makes the hub the one that hosts are connected to. What an earlier time
// as such has left is forgotten: hosts were connected to another hub since, and
// say anew what they run.
func (h *Hub) Lead(state *store.State) {
	h.mu.Lock()
	h.leads = true
	h.started = time.Now()
	h.mu.Unlock()
	h.Update(state)
}

// Follow ends all streams, and every one to come until [Hub.Lead]: hosts are
// to find the node that leads. The hub still works out states.
func (h *Hub) Follow() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leads = false
	for _, host := range h.hosts {
		if host.stream != nil {
			host.stream.end(ErrNotLeading)
		}
	}
	// A stream that ends finds itself forgotten, which is as well.
	clear(h.hosts)
	h.forgetVerdicts()
	h.spread = spread{}
}
