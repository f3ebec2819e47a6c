// SPDX-License-Identifier: Apache-2.0

package push

import (
	"fmt"
	"sync/atomic"

	"mbchain/policy"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
	"mbchain/proto/delta"
)

// subpolicies are those of one domain, and what makes them out of others. Hosts that
// need the same get the same.
type subpolicies struct {
	keys    []*proto.SetupKey
	wholes  memo[share, *delta.Whole]
	changes memo[[2]delta.Digest, *proto.SubpolicyChange]
	// like is a whole that was made, whose lists others may have, too.
	like atomic.Pointer[delta.Whole]
}

// share is what a subpolicy is made of.
type share struct {
	part *part
	host string // for which policyd decides; empty: it does for none
}

// past is what hosts needed of the policies that ran before one, by version; nil: that
// is not known any more.
type past = memo[uint64, *parts]

// whole returns the subpolicy of a host.
func (d *Domain) whole(host store.Host) *delta.Whole {
	return d.with(d.parts.of(host), host.Name, d.State.Policy.Version, d.Chosen)
}

// earlier returns the subpolicy that the host had when another version ran, if
// nothing else was other then, or nil.
func (d *Domain) earlier(host store.Host, version uint64) *delta.Whole {
	was := d.past.get(version, func() *parts {
		old, known := d.State.At(version)
		if !known {
			return nil
		}
		p, err := policy.Parse(old.Source)
		if err != nil {
			return nil // of another version of policyd
		}
		return newParts(p)
	})
	if was == nil {
		return nil
	}
	return d.with(was.of(host), host.Name, version, d.Choosing(was.policy))
}

// with returns the subpolicy of a host that needs a part of the policy of a version, of
// which new sessions choose as another one says.
func (d *Domain) with(p *part, host string, version uint64, chosen *policy.Policy) *delta.Whole {
	if !p.decided {
		host = ""
	}
	return d.made.wholes.get(share{p, host}, func() *delta.Whole {
		w := delta.New(&proto.Subpolicy{
			Version: version,
			Seed:    d.Seed[:],
			Keys:    d.made.keys,
			Types:   p.instances(policy.DecidedFor(chosen.Types, d.Seed, host)),
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
	running      uint64       // the version of that

	part *part // that it needs, of this policy
	of   *policy.Policy
}

// now returns the host's subpolicy of a domain.
func (s *stream) now(d *Domain) *delta.Whole {
	if s.has.of != d.Policy {
		s.has.of, s.has.part = d.Policy, d.parts.of(s.host)
	}
	return d.with(s.has.part, s.host.Name, d.State.Policy.Version, d.Chosen)
}

// otherChoice returns the domain of which the host needs another subpolicy because of
// how instances stand, or nil. If nothing was sent yet, or another policy is on its way,
// that comes anyhow.
func (h *Hub) otherChoice(s *stream) *Domain {
	d, err := h.Domain()
	if err != nil || s.has.whole == nil || s.has.of != d.Policy || s.now(d).Digest() == s.has.whole.Digest() {
		return nil
	}
	return d
}

// base returns what the next push may be a change of; nil: of nothing. After a refusal
// that is nothing.
func (h *Hub) base(s *stream, d *Domain, now *delta.Whole) *delta.Whole {
	h.mu.Lock()
	refused := s.refused
	s.refused = false
	h.mu.Unlock()
	switch {
	case !s.has.takesChanges || refused:
		return nil
	case s.has.whole != nil || s.has.index != 0:
		return s.has.whole
	}
	return s.before(d, now)
}

// before returns what the agent says it has, if that is what any policyd would push it
// now, or would have when that version ran; nil: it is not.
func (s *stream) before(d *Domain, now *delta.Whole) *delta.Whole {
	if s.has.said == (delta.Digest{}) {
		return nil
	}
	if now.Digest() == s.has.said {
		return now
	}
	if was := d.earlier(s.host, s.has.running); was != nil && was.Digest() == s.has.said {
		return was
	}
	return nil
}

// sendSubpolicy pushes the host's part of a domain, unless a newer one was pushed
// already.
func (h *Hub) sendSubpolicy(s *stream, d *Domain) error {
	if d.State.Index < s.has.index {
		return nil
	}
	now := s.now(d)
	change := d.change(h.base(s, d, now), now)
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
