// SPDX-License-Identifier: Apache-2.0

package policy

import "mbchain/chain"

// families are those that a session can be of.
var families = [...]chain.Family{chain.IPv4, chain.IPv6}

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
