// SPDX-License-Identifier: Apache-2.0

package policy

import "mbchain/chain"

// families are those that a session can be of.
var families = [...]chain.Family{chain.IPv4, chain.IPv6}

// within returns what a predicate says of the sessions of one family: terms
// about addresses of the other hold for none of them. The result is [Any], its
// negation, or without either of them inside.
func within(f chain.Family, p Predicate) Predicate {
	switch p := p.(type) {
	case Address:
		switch {
		case p.family() != f:
			return Not{Any{}}
		case p.Prefix.Bits() == 0:
			return Any{}
		}
	case Not:
		x := within(f, p.X)
		if isNever(x) {
			return Any{}
		}
		return Not{x}
	case And:
		parts, decided := withinAll(f, p, isNever, isAny)
		switch {
		case decided:
			return Not{Any{}}
		case len(parts) == 0:
			return Any{}
		case len(parts) == 1:
			return parts[0]
		}
		return And(parts)
	case Or:
		parts, decided := withinAll(f, p, isAny, isNever)
		switch {
		case decided:
			return Any{}
		case len(parts) == 0:
			return Not{Any{}}
		case len(parts) == 1:
			return parts[0]
		}
		return Or(parts)
	}
	return p
}

// withinAll leaves out the parts that are neutral, and reports whether one of
// them decides alone.
func withinAll(f chain.Family, all []Predicate, decides, neutral func(Predicate) bool) (parts []Predicate, decided bool) {
	for _, x := range all {
		x = within(f, x)
		switch {
		case decides(x):
			return nil, true
		case !neutral(x):
			parts = append(parts, x)
		}
	}
	return parts, false
}

func isAny(p Predicate) bool {
	_, ok := p.(Any)
	return ok
}

func isNever(p Predicate) bool {
	n, ok := p.(Not)
	return ok && isAny(n.X)
}

// names reports whether the predicate names an address of the family.
func names(f chain.Family, p Predicate) bool {
	switch p := p.(type) {
	case Address:
		return p.family() == f
	case Not:
		return names(f, p.X)
	case And:
		return anyNames(f, p)
	case Or:
		return anyNames(f, p)
	}
	return false
}

func anyNames(f chain.Family, parts []Predicate) bool {
	for _, x := range parts {
		if names(f, x) {
			return true
		}
	}
	return false
}
