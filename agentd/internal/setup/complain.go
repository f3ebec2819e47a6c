// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"sync"
	"time"

	"mbchain/agentd/internal/session"
)

const (
	// complainInterval is how often the log says the same of a refusal.
	complainInterval = time.Minute
	// maxComplaints is how many of them are remembered.
	maxComplaints = 1024
)

// complaints are what was said.
type complaints struct {
	sync.Mutex
	said map[session.Reject]time.Time
}

// complain logs why a set-up that this host began was refused, which its counter
// does not tell: each reason once a minute.
func (r *run) complain(e session.Event) {
	rejected, ok := e.(session.Rejected)
	if !ok || r.left != nil {
		return // the log of the host that began it has it
	}
	why, now := rejected.Reject, time.Now()
	r.complaints.Lock()
	defer r.complaints.Unlock()
	if last, said := r.complaints.said[why]; said && now.Sub(last) < complainInterval {
		return
	}
	if len(r.complaints.said) >= maxComplaints {
		clear(r.complaints.said)
	}
	r.complaints.said[why] = now
	r.log.Warn("set-up refused", "session", r.id, "reason", why.Reason, "refused_by", why.Host, "peer", why.Address)
}
