// SPDX-License-Identifier: Apache-2.0

package policy

import "mbchain/chain"

// region is a set of five-tuples: all of a family whose fields lie in closed
// intervals.
type region struct {
	family    chain.Family
	low, high [numFields]value
}

// everywhere is the region of all five-tuples of a family.
func everywhere(family chain.Family) region {
	r := region{family: family}
	for f := range numFields {
		r.high[f] = f.max(family)
	}
	return r
}

// with narrows one field.
func (r region) with(f Field, low, high value) region {
	r.low[f], r.high[f] = low, high
	return r
}

// clip returns what of an interval lies in the region, of which some does.
func (r *region) clip(f Field, low, high value) (value, value) {
	if low.less(r.low[f]) {
		low = r.low[f]
	}
	if r.high[f].less(high) {
		high = r.high[f]
	}
	return low, high
}

// answer of a predicate for a region.
type answer int8

const (
	no    answer = iota - 1 // holds nowhere in it
	maybe                   // cannot be told at once
	yes                     // holds everywhere in it
)

// ask evaluates a predicate over a region, by Kleene's three-valued logic.
// Where it answers maybe it returns a term that divides the region.
func ask(p Predicate, r region) (answer, term) {
	switch p := p.(type) {
	case Any:
		return yes, nil
	case Not:
		a, t := ask(p.X, r)
		return -a, t
	case And:
		return askAll(p, r, yes)
	case Or:
		return askAll(p, r, no)
	}
	t := p.(term)
	if a := r.ask(t); a != maybe {
		return a, nil
	}
	return maybe, t
}

// ask evaluates a term over the region.
func (r *region) ask(t term) answer {
	if f := t.family(); f != 0 && f != r.family {
		return no
	}
	f, low, high := t.interval()
	switch {
	case !r.low[f].less(low) && !high.less(r.high[f]):
		return yes
	case high.less(r.low[f]) || r.high[f].less(low):
		return no
	}
	return maybe
}

// askAll asks the parts of an And (neutral yes) or of an Or (neutral no).
func askAll(parts []Predicate, r region, neutral answer) (answer, term) {
	var divides term
	for _, x := range parts {
		switch a, t := ask(x, r); {
		case a == -neutral:
			return a, nil
		case a == maybe && divides == nil:
			divides = t
		}
	}
	if divides != nil {
		return maybe, divides
	}
	return neutral, nil
}

// satisfiable reports whether the predicate holds for some five-tuple of the
// region. It divides the region until every piece gives a clear answer; after
// budget pieces it gives up and reports true, so only false is a proof.
func satisfiable(p Predicate, r region, budget *int) bool {
	if *budget--; *budget < 0 {
		return true
	}
	a, t := ask(p, r)
	if a != maybe {
		return a == yes
	}
	f, low, high := t.interval()
	below, above := r.low[f].less(low), high.less(r.high[f])
	if !below {
		low = r.low[f]
	}
	if !above {
		high = r.high[f]
	}
	if satisfiable(p, r.with(f, low, high), budget) {
		return true
	}
	if below && satisfiable(p, r.with(f, r.low[f], low.previous()), budget) {
		return true
	}
	return above && satisfiable(p, r.with(f, high.next(), r.high[f]), budget)
}

// Pieces that are looked at before the answer is left open. A predicate as
// people write them needs a handful.
const (
	budgetRule = 1024 // one rule by itself
	budgetPair = 64   // a rule against an earlier one
)

func canHold(p Predicate, r region) bool {
	budget := budgetRule
	return satisfiable(p, r, &budget)
}

// canEverHold reports whether the predicate can hold in one of the families.
func canEverHold(p Predicate) bool {
	return canHold(p, everywhere(chain.IPv4)) || canHold(p, everywhere(chain.IPv6))
}
