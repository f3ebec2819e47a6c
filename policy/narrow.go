// SPDX-License-Identifier: Apache-2.0

package policy

// within returns what a predicate says of the tuples of a region: terms that
// hold for all of them or for none are gone. The result is [Any], its negation,
// or without either of them inside.
func within(r *region, p Predicate) Predicate {
	p, _ = narrow(r, p)
	return p
}

// narrow is within, and reports whether it changed anything.
func narrow(r *region, p Predicate) (Predicate, bool) {
	switch p := p.(type) {
	case Any:
		return p, false
	case Not:
		x, changed := narrow(r, p.X)
		switch {
		case isNever(x):
			return Any{}, true
		case !changed:
			return p, false
		}
		return Not{x}, true
	case And:
		parts, changed := narrowAll(r, p, false)
		if !changed {
			return p, false
		}
		if len(parts) > 1 {
			return And(parts), true
		}
		return parts[0], true
	case Or:
		parts, changed := narrowAll(r, p, true)
		if !changed {
			return p, false
		}
		if len(parts) > 1 {
			return Or(parts), true
		}
		return parts[0], true
	}
	switch r.ask(p.(term)) {
	case yes:
		return Any{}, true
	case no:
		return Not{Any{}}, true
	}
	return p, false
}

// narrowAll narrows the parts of an And or of an Or. It leaves out those that
// are neutral; of one that decides, or when nothing else is left, it returns
// that alone.
func narrowAll(r *region, all []Predicate, or bool) (parts []Predicate, changed bool) {
	for i, x := range all {
		x, other := narrow(r, x)
		if !changed && (other || constant(x)) {
			changed = true
			parts = append(make([]Predicate, 0, len(all)), all[:i]...)
		}
		switch {
		case constant(x) && isAny(x) == or:
			return []Predicate{x}, true
		case changed && !constant(x):
			parts = append(parts, x)
		}
	}
	switch {
	case changed && len(parts) == 0 && or:
		parts = append(parts, Not{Any{}})
	case changed && len(parts) == 0:
		parts = append(parts, Any{})
	}
	return parts, changed
}

// constant reports whether p, as narrow returns it, is Any or its negation.
func constant(p Predicate) bool { return isAny(p) || isNever(p) }

// hull returns the smallest interval of a field outside of which a predicate,
// or with negated its negation, holds for no tuple of the region; it may be
// wider than need be. It reports false if there is no such tuple at all.
func hull(p Predicate, f Field, r *region, negated bool) (low, high value, some bool) {
	low, high, some = r.low[f], r.high[f], true
	switch p := p.(type) {
	case Any:
		return low, high, !negated
	case Not:
		return hull(p.X, f, r, !negated)
	case And:
		return hullOf(p, f, r, negated, !negated)
	case Or:
		return hullOf(p, f, r, negated, negated)
	}
	of, from, to := p.(term).interval()
	if of != f {
		return low, high, true
	}
	below, above := low.less(from), to.less(high) // the region goes on beyond the term
	switch {
	case !negated:
		low, high = r.clip(f, from, to)
		return low, high, !high.less(low)
	case !below && !above:
		return low, high, false
	case !below:
		low = to.next()
	case !above:
		high = from.previous()
	}
	return low, high, true
}

// hullOf is hull of all parts at once, or of any of them.
func hullOf(parts []Predicate, f Field, r *region, negated, all bool) (low, high value, some bool) {
	if all {
		low, high = r.low[f], r.high[f]
	}
	for _, x := range parts {
		from, to, ok := hull(x, f, r, negated)
		switch {
		case all && !ok:
			return low, high, false
		case all:
			low, high = later(low, from), earlier(high, to)
			if high.less(low) {
				return low, high, false
			}
		case ok && !some:
			low, high, some = from, to, true
		case ok:
			low, high = earlier(low, from), later(high, to)
		}
	}
	return low, high, some || all
}

func earlier(v, w value) value {
	if w.less(v) {
		return w
	}
	return v
}

func later(v, w value) value {
	if v.less(w) {
		return w
	}
	return v
}
