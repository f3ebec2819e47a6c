// SPDX-License-Identifier: Apache-2.0

package push

import (
	"fmt"
	"sync/atomic"

	"mbchain/policy"
	"mbchain/proto"
	"mbchain/proto/delta"
)

// subpolicies are those of one domain, and what makes them out of others. Hosts that
// need the same get the same.
type subpolicies struct {
	keys    []*proto.SetupKey
	wholes  memo[*part, *delta.Whole]
	changes memo[[2]delta.Digest, *proto.SubpolicyChange]
	// like is a whole that was made, whose lists others may have, too.
	like atomic.Pointer[delta.Whole]
}

// whole returns the subpolicy of hosts that need a part of the policy.
func (d *Domain) whole(p *part) *delta.Whole {
	return d.made.wholes.get(p, func() *delta.Whole {
		w := delta.New(&proto.Subpolicy{
			Version: d.State.Policy.Version,
			Seed:    d.Seed[:],
			Keys:    d.made.keys,
			Types:   p.types,
			Rules:   p.rules,
			Guards:  p.guards,
			Hosts:   d.addresses,
		}, d.made.like.Load())
		d.made.like.Store(w)
		return w
	})
}

// change returns what makes a subpolicy of the domain out of another one; nil if
// the whole is better.
func (d *Domain) change(from, to *delta.Whole) *proto.SubpolicyChange {
	if from == nil {
		return nil
	}
	return d.made.changes.get([2]delta.Digest{from.Digest(), to.Digest()}, func() *proto.SubpolicyChange {
		return delta.Between(from, to)
	})
}

// has is what the agent at the other end of a stream has, as far as that is known. It
// belongs to the goroutine that serves the stream.
type has struct {
	takesChanges bool
	whole        *delta.Whole // what was pushed to it last; nil: it gets the whole
	index        uint64       // State.Index of that, 0: nothing was pushed yet
	said         delta.Digest // what it said it has

	part *part // that it needs, of this policy
	of   *policy.Policy
}

// partOf returns what the host needs of a domain's policy.
func (s *stream) partOf(d *Domain) *part {
	if s.has.of != d.Policy {
		s.has.of, s.has.part = d.Policy, d.parts.of(s.host)
	}
	return s.has.part
}

// base returns what the next push may be a change of; nil: of nothing. After a refusal
// that is nothing, and nor is it where the agent had something at first that nobody
// here knows any more.
func (h *Hub) base(s *stream, now *delta.Whole) *delta.Whole {
	h.mu.Lock()
	defer h.mu.Unlock()
	refused := s.refused
	s.refused = false
	switch {
	case !s.has.takesChanges || refused:
		return nil
	case s.has.whole != nil || s.has.index != 0:
		return s.has.whole
	case now.Digest() == s.has.said:
		return now // another policyd has pushed it the same
	}
	return nil
}

// sendSubpolicy pushes the host's part of a domain, unless a newer one was pushed
// already.
func (h *Hub) sendSubpolicy(s *stream, d *Domain) error {
	if d.State.Index < s.has.index {
		return nil
	}
	now := d.whole(s.partOf(d))
	change := d.change(h.base(s, now), now)
	rules := uint32(len(now.Subpolicy().GetRules()))
	o := offer{
		nonce: h.nextNonce(), version: d.State.Policy.Version, index: d.State.Index, rules: rules,
		whole: now, change: change != nil,
	}
	h.mu.Lock()
	if e := h.hosts[s.host.Name]; e != nil && e.stream == s {
		e.offer(o)
	}
	h.mu.Unlock()
	s.has.whole, s.has.index = now, d.State.Index
	push := &proto.Push{Body: &proto.Push_Subpolicy{Subpolicy: now.Subpolicy()}}
	if o.change {
		push.Body = &proto.Push_Change{Change: change}
	}
	h.logger.Debug("subpolicy pushed", "host", s.host.Name, "policy_version", o.version, "rules", rules, "nonce", o.nonce, "change", o.change)
	h.observer.Pushed(o.change)
	if err := s.push(o.nonce, push); err != nil {
		return fmt.Errorf("subpolicy: %w", err)
	}
	return nil
}
