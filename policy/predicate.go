// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"encoding/binary"
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
	// Match reports whether the predicate holds for an IPv4 five-tuple. No
	// predicate, not even Any, holds for another.
	Match(chain.FiveTuple) bool

	holds(point) bool
	binding() int // how tightly its operator binds
}

// term is a predicate on one field: it lies in a closed interval.
type term interface {
	Predicate
	interval() (f Field, low, high uint32)
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

// max returns the largest value of the field; the smallest is 0.
func (f Field) max() uint32 {
	return [numFields]uint32{1<<32 - 1, 1<<32 - 1, 1<<16 - 1, 1<<16 - 1, 1<<8 - 1}[f]
}

// format returns a value of the field as the language writes it.
func (f Field) format(v uint32) string {
	switch f {
	case SrcIP, DstIP:
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v))).String()
	case Proto:
		return chain.ProtocolName(uint8(v))
	}
	return strconv.FormatUint(uint64(v), 10)
}

// point is a five-tuple as one number a field.
type point [numFields]uint32

// pointOf returns false for a tuple that is not of IPv4.
func pointOf(t chain.FiveTuple) (point, bool) {
	if !t.Source.Addr().Is4() || !t.Destination.Addr().Is4() {
		return point{}, false
	}
	p := point{SrcIP: addrValue(t.Source.Addr()), DstIP: addrValue(t.Destination.Addr()), Proto: uint32(t.Protocol)}
	if t.Protocol == chain.ProtocolTCP || t.Protocol == chain.ProtocolUDP {
		p[SrcPort], p[DstPort] = uint32(t.Source.Port()), uint32(t.Destination.Port())
	}
	return p, true
}

func addrValue(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func match(p Predicate, t chain.FiveTuple) bool {
	at, ok := pointOf(t)
	return ok && p.holds(at)
}

// Any holds for every session: "any".
type Any struct{}

// Address holds where the address is in the prefix: "srcip=10.0.0.0/24".
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
	f, low, high := t.interval()
	return low <= at[f] && at[f] <= high
}

func (p Address) interval() (Field, uint32, uint32) {
	low := addrValue(p.Prefix.Addr())
	return p.Field, low, low | uint32(1<<(32-p.Prefix.Bits())-1)
}

func (p Port) interval() (Field, uint32, uint32) { return p.Field, uint32(p.Low), uint32(p.High) }
func (p Protocol) interval() (Field, uint32, uint32) {
	return Proto, uint32(p), uint32(p)
}

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

func (p Address) String() string {
	if p.Prefix.IsSingleIP() {
		return fmt.Sprintf("%s=%s", p.Field, p.Prefix.Addr())
	}
	return fmt.Sprintf("%s=%s", p.Field, p.Prefix)
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
