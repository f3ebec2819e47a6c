// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math"
	"slices"
)

// cut divides a region in two.
type cut struct {
	field Field
	at    value // the smallest value of the upper part
}

// maxSample is of how many items a cut is chosen: those of a large policy look
// alike.
const maxSample = 256

// chooseCut returns the cut after which a search has least left to do. It
// reports false if all items are the same to every cut.
func chooseCut(items []item, r *region) (cut, bool) {
	var (
		best  cut
		found bool
		least = math.Inf(1)
		step  = (len(items) + maxSample - 1) / maxSample
		s     scan
	)
	for f := range numFields {
		s = scan{lows: s.lows[:0], ups: s.ups[:0], spans: s.spans}
		for i := 0; i < len(items); i += step {
			s.add(items[i].predicate, f, r)
		}
		s.each(func(at value, left float64) {
			left *= 1 + float64(r.words(f, at)-1)/64
			if left < least {
				best, found, least = cut{f, at}, true, left
			}
		})
	}
	return best, found
}

// copyCost is how much an item that has to be on both sides of a cut counts,
// for each that is left on the side where a packet lies.
const copyCost = 0.25

// scan looks at all cuts of one field. An item that is a choice of several
// intervals counts in parts.
type scan struct {
	items     float64
	lows, ups []edge // where intervals begin, and the first value behind each
	spans     []span // of one item
}

type edge struct {
	at    value
	share float64 // of an item
}

type span struct{ low, high value }

func (s *scan) add(p Predicate, f Field, r *region) {
	s.spans = appendSpans(s.spans[:0], p, f, r)
	share := 1 / float64(len(s.spans))
	for _, x := range s.spans {
		s.items += share
		if r.low[f].less(x.low) {
			s.lows = append(s.lows, edge{x.low, share})
		}
		if x.high.less(r.high[f]) {
			s.ups = append(s.ups, edge{x.high.next(), share})
		}
	}
}

// appendSpans appends intervals of a field outside of which the predicate holds
// for no tuple of the region.
func appendSpans(spans []span, p Predicate, f Field, r *region) []span {
	switch p := p.(type) {
	case Or:
		for _, x := range p {
			spans = appendSpans(spans, x, f, r)
		}
		return spans
	case And:
		low, high, some := hull(p, f, r, false)
		if !some {
			return spans
		}
		// Those of the part that has most of them, as far as the others allow.
		before := len(spans)
		for _, x := range p {
			if _, ok := x.(Or); !ok {
				continue
			}
			within := r.with(f, low, high)
			end := len(spans)
			spans = appendSpans(spans, x, f, &within)
			if more := spans[end:]; len(more) > end-before {
				spans = append(spans[:before], more...)
			} else {
				spans = spans[:end]
			}
		}
		if len(spans) == before {
			spans = append(spans, span{low, high})
		}
		return spans
	}
	if low, high, some := hull(p, f, r, false); some {
		spans = append(spans, span{low, high})
	}
	return spans
}

// each calls try with every cut and how many items are left after it: on the
// side where a packet lies, if packets are where intervals end.
func (s *scan) each(try func(at value, left float64)) {
	byPlace := func(a, b edge) int { return a.at.compare(b.at) }
	slices.SortFunc(s.lows, byPlace)
	slices.SortFunc(s.ups, byPlace)
	edges := float64(len(s.lows) + len(s.ups))
	below, above := s.items, s.items // how much lies at least partly there
	for _, low := range s.lows {
		below -= low.share
	}
	for l, u := 0, 0; l < len(s.lows) || u < len(s.ups); {
		var at value
		if u == len(s.ups) || l < len(s.lows) && s.lows[l].at.less(s.ups[u].at) {
			at = s.lows[l].at
		} else {
			at = s.ups[u].at
		}
		for ; u < len(s.ups) && s.ups[u].at == at; u++ {
			above -= s.ups[u].share
		}
		part := float64(l+u) / edges
		try(at, part*below+(1-part)*above+copyCost*(below+above-s.items))
		for ; l < len(s.lows) && s.lows[l].at == at; l++ {
			below += s.lows[l].share
		}
	}
}

// divide tells the items whose interval is all of the region in the field that
// is cut from those where it is not: the former are of no use to any cut of it.
func (c cut) divide(items []item, r *region) (narrow, wide []item) {
	for _, x := range items {
		low, high, _ := hull(x.predicate, c.field, r, false)
		if r.low[c.field].less(low) || high.less(r.high[c.field]) {
			narrow = append(narrow, x)
		} else {
			wide = append(wide, x)
		}
	}
	return narrow, wide
}

// words returns how many words have to be compared with a value of the region
// to tell on which side of it a field is.
func (r *region) words(f Field, at value) int {
	n := 0
	fixed := true // the words so far are the same everywhere in the region
	for w := wordsOf(f, r.family) - 1; w >= 0; w-- {
		if fixed = fixed && r.low[f].word(w) == r.high[f].word(w); !fixed {
			n++
		}
		if !at.anyBelow(w) {
			break
		}
	}
	return n
}

// anyBelow reports whether v has a bit set to the right of word n.
func (v value) anyBelow(n int) bool {
	for n > 0 {
		if n--; v.word(n) != 0 {
			return true
		}
	}
	return false
}
