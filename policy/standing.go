// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"mbchain/chain"
)

// Rank is how far an instance is fit for new sessions, the best first. Those of a
// type that are of the best rank among them get the new sessions; those that are
// [Unfit] never do.
type Rank uint8

// The ranks.
const (
	Fit      Rank = iota
	Strained      // overloaded: better than nothing
	Doubtful      // nobody has heard of it lately, which says little about the NF itself
	Unfit         // it does not work, or an operator has drained it
)

// Standing is how an instance stands at the moment.
type Standing struct {
	Rank Rank
	// Load of 0 to [FullLoad], for types with [LeastLoaded].
	Load uint32
	Why  string // one line, where Rank is not Fit
}

// FullLoad is the load of an instance that can take no more.
const FullLoad = 16

// LeftOut is an instance that gets no new sessions.
type LeftOut struct {
	Instance Instance // with the addresses of the families for which it gets none
	Why      string
}

// Choosing returns the policy by which new sessions choose: types lack the instances
// that are not fit for them, and those with [LeastLoaded] have weights after the load
// instead of those that were written. A type may be without any instance then, of a
// family or of both; sessions meet their rule's on-failure. All else is that of p,
// which is returned itself if every instance is fit and no type looks at the load.
func (p *Policy) Choosing(standing func(*Type, Instance) Standing) *Policy {
	now := map[*Type]*Type{}
	for _, t := range p.Types {
		if c := t.choosing(standing); c != nil {
			now[t] = c
		}
	}
	if len(now) == 0 {
		return p
	}
	present := func(types []*Type) []*Type {
		list := slices.Clone(types)
		for i, t := range list {
			if c := now[t]; c != nil {
				list[i] = c
			}
		}
		return list
	}
	next := *p
	next.Types = present(p.Types)
	next.Rules = make([]*Rule, len(p.Rules))
	for i, r := range p.Rules {
		c := *r
		c.Chain, c.MayLeave, c.MayInsert = present(r.Chain), present(r.MayLeave), present(r.MayInsert)
		next.Rules[i] = &c
	}
	return &next
}

// SameChoice reports whether new sessions choose alike by both, which come from one
// policy by [Policy.Choosing].
func SameChoice(a, b *Policy) bool {
	return a == b || slices.EqualFunc(a.Types, b.Types, func(x, y *Type) bool {
		return x == y || x.Name == y.Name && slices.Equal(x.Instances, y.Instances) && slices.Equal(x.Out, y.Out)
	})
}

// choosing returns t as new sessions choose by it, nil if that is t itself.
func (t *Type) choosing(standing func(*Type, Instance) Standing) *Type {
	standings := make([]Standing, len(t.Instances))
	best := map[chain.Family]Rank{}
	for _, f := range families {
		best[f] = Doubtful
	}
	for i, in := range t.Instances {
		standings[i] = standing(t, in)
		for _, f := range families {
			if in.addressFor(f).IsValid() {
				best[f] = min(best[f], standings[i].Rank)
			}
		}
	}
	c := *t
	c.Instances = nil
	for i, in := range t.Instances {
		s := standings[i]
		kept, out := in, in
		for _, f := range families {
			if in.addressFor(f).IsValid() && s.Rank > best[f] {
				kept.clear(f)
			} else {
				out.clear(f)
			}
		}
		if kept.Address.IsValid() || kept.Address6.IsValid() {
			if t.Choose == LeastLoaded {
				kept.Weight = freeWeight(in.Weight, s.Load)
			}
			c.Instances = append(c.Instances, kept)
		}
		if out.Address.IsValid() || out.Address6.IsValid() {
			c.Out = append(c.Out, LeftOut{Instance: out, Why: s.Why})
		}
	}
	if len(c.Out) == 0 && t.Choose != LeastLoaded {
		return nil
	}
	return &c
}

// freeWeight is the share of an instance that has so much load: what was written
// times what is free of it, and never nothing. It stays within MaxWeight, beyond
// which finer steps are lost.
func freeWeight(written, load uint32) uint32 {
	free := FullLoad - min(load, FullLoad)
	return min(max(written*free, 1), MaxWeight)
}

// clear takes the address of a family away.
func (in *Instance) clear(f chain.Family) {
	if f == chain.IPv6 {
		in.Address6 = Instance{}.Address6
		return
	}
	in.Address = Instance{}.Address
}

// leftOut says of each instance that would serve a session's family why it gets none.
func (t *Type) leftOut(f chain.Family) []string {
	var lines []string
	for _, o := range t.Out {
		if o.Instance.addressFor(f).IsValid() {
			lines = append(lines, fmt.Sprintf("%s: %s gets no new sessions: %s", t.Name, o.Instance.label(f), o.Why))
		}
	}
	return lines
}
