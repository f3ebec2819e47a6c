// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"mbchain/chain"
)

// Predicate is a condition on the five-tuple of a session, in the direction
// client to server. It is one of [Any], [Address], [Port], [Protocol], [Not],
// [And] and [Or].
//
// Match is the reference semantics: what [Compile] makes of a predicate
// decides the same. A protocol other than TCP and UDP has both ports 0.
type Predicate interface {
	// String returns the canonical text, which [ParsePredicate] reads back
	// as the same predicate.
	String() string
	// Match reports whether the predicate holds for a five-tuple of either
	// family. No predicate, not even Any, holds for one without a family.
	Match(chain.FiveTuple) bool

	holds(point) bool
	binding() int // how tightly its operator binds
}

// term is a predicate on one field: it lies in a closed interval.
type term interface {
	Predicate
	interval() (f Field, low, high value)
	family() chain.Family // whose sessions it can hold for, 0: both
}

// Field is a field of a five-tuple.
type Field uint8

// The fields.
const (
	SrcIP Field = iota
	DstIP
	SrcPort
	DstPort
	Proto
	numFields
)

var fieldNames = [numFields]string{"srcip", "dstip", "srcport", "dstport", "proto"}

// String returns the field's name in the language.
func (f Field) String() string { return fieldNames[f] }

// max returns the largest value of the field in a family; the smallest is 0.
func (f Field) max(family chain.Family) value {
	switch f {
	case SrcPort, DstPort:
		return lowBits(16)
	case Proto:
		return lowBits(8)
	}
	if family == chain.IPv6 {
		return lowBits(128)
	}
	return lowBits(32)
}

// point is a five-tuple as one number a field.
type point struct {
	family chain.Family
	values [numFields]value
}

// pointOf returns false for a tuple without a family.
func pointOf(t chain.FiveTuple) (point, bool) {
	p := point{family: t.Family()}
	if p.family == 0 {
		return point{}, false
	}
	p.values[SrcIP] = addrValue(t.Source.Addr())
	p.values[DstIP] = addrValue(t.Destination.Addr())
	p.values[Proto] = number(t.Protocol)
	if t.Protocol == chain.ProtocolTCP || t.Protocol == chain.ProtocolUDP {
		p.values[SrcPort] = number(t.Source.Port())
		p.values[DstPort] = number(t.Destination.Port())
	}
	return p, true
}

// format returns the value of a field as the language writes it.
func (p point) format(f Field) string {
	v := p.values[f]
	switch {
	case f == Proto:
		return chain.ProtocolName(uint8(v.lower))
	case f == SrcPort, f == DstPort:
		return strconv.FormatUint(v.lower, 10)
	case p.family == chain.IPv6:
		return v.as6().String()
	}
	return v.as4().String()
}

func match(p Predicate, t chain.FiveTuple) bool {
	at, ok := pointOf(t)
	return ok && p.holds(at)
}

// Any holds for every session: "any".
type Any struct{}

// Address holds where the address is in the prefix: "srcip=10.0.0.0/24". No
// session of the other family has such an address.
type Address struct {
	Field  Field // SrcIP or DstIP
	Prefix netip.Prefix
}

// Port holds where the port is in the range, ends included:
// "dstport=5000-5999".
type Port struct {
	Field     Field // SrcPort or DstPort
	Low, High uint16
}

// Protocol holds for sessions of this IP protocol: "proto=tcp".
type Protocol uint8

// Not holds where X does not: "~dstport=22".
type Not struct{ X Predicate }

// And holds where all of its parts do: "dstport=80 & proto=tcp".
type And []Predicate

// Or holds where one of its parts does: "dstport=80 | dstport=443".
type Or []Predicate

func (p Any) Match(t chain.FiveTuple) bool      { return match(p, t) }
func (p Address) Match(t chain.FiveTuple) bool  { return match(p, t) }
func (p Port) Match(t chain.FiveTuple) bool     { return match(p, t) }
func (p Protocol) Match(t chain.FiveTuple) bool { return match(p, t) }
func (p Not) Match(t chain.FiveTuple) bool      { return match(p, t) }
func (p And) Match(t chain.FiveTuple) bool      { return match(p, t) }
func (p Or) Match(t chain.FiveTuple) bool       { return match(p, t) }

func (p Any) holds(point) bool         { return true }
func (p Address) holds(at point) bool  { return inside(p, at) }
func (p Port) holds(at point) bool     { return inside(p, at) }
func (p Protocol) holds(at point) bool { return inside(p, at) }
func (p Not) holds(at point) bool      { return !p.X.holds(at) }

func (p And) holds(at point) bool {
	for _, x := range p {
		if !x.holds(at) {
			return false
		}
	}
	return true
}

func (p Or) holds(at point) bool {
	for _, x := range p {
		if x.holds(at) {
			return true
		}
	}
	return false
}

func inside(t term, at point) bool {
	if f := t.family(); f != 0 && f != at.family {
		return false
	}
	f, low, high := t.interval()
	return !at.values[f].less(low) && !high.less(at.values[f])
}

func (p Address) interval() (Field, value, value) {
	low := addrValue(p.Prefix.Addr())
	return p.Field, low, low.or(lowBits(p.Prefix.Addr().BitLen() - p.Prefix.Bits()))
}

func (p Port) interval() (Field, value, value) { return p.Field, number(p.Low), number(p.High) }
func (p Protocol) interval() (Field, value, value) {
	return Proto, number(p), number(p)
}

func (p Address) family() chain.Family { return chain.FamilyOf(p.Prefix.Addr()) }
func (Port) family() chain.Family      { return 0 }
func (Protocol) family() chain.Family  { return 0 }

// How tightly operators bind, loosest first.
const (
	bindsOr = iota
	bindsAnd
	bindsNot
)

func (Any) binding() int      { return bindsNot }
func (Address) binding() int  { return bindsNot }
func (Port) binding() int     { return bindsNot }
func (Protocol) binding() int { return bindsNot }
func (Not) binding() int      { return bindsNot }
func (And) binding() int      { return bindsAnd }
func (Or) binding() int       { return bindsOr }

func (p Any) String() string { return "any" }

func (p Address) String() string { return fmt.Sprintf("%s=%s", p.Field, prefixText(p.Prefix)) }

// prefixText writes a prefix of one address as that address.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func (p Port) String() string {
	if p.Low == p.High {
		return fmt.Sprintf("%s=%d", p.Field, p.Low)
	}
	return fmt.Sprintf("%s=%d-%d", p.Field, p.Low, p.High)
}

func (p Protocol) String() string { return fmt.Sprintf("%s=%s", Proto, chain.ProtocolName(uint8(p))) }
func (p Not) String() string      { return "~" + operand(p.X, bindsNot) }
func (p And) String() string      { return join(p, " & ", bindsAnd) }
func (p Or) String() string       { return join(p, " | ", bindsOr) }

func join(parts []Predicate, operator string, binding int) string {
	texts := make([]string, len(parts))
	for i, x := range parts {
		texts[i] = operand(x, binding)
	}
	return strings.Join(texts, operator)
}

// operand puts parentheses around what binds less tightly.
func operand(p Predicate, binding int) string {
	if p.binding() < binding {
		return "(" + p.String() + ")"
	}
	return p.String()
}
