// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"mbchain/chain"
)

// predicate parses a whole predicate.
func (p *parser) predicate() (Predicate, bool) {
	p.terms = 0
	return p.or(0)
}

// or parses parts joined by "|". Nested is how many "(" and "~" enclose it.
func (p *parser) or(nested int) (Predicate, bool) {
	var parts Or
	for {
		x, ok := p.and(nested)
		if !ok {
			return nil, false
		}
		if inner, ok := x.(Or); ok {
			parts = append(parts, inner...)
		} else {
			parts = append(parts, x)
		}
		if !p.accept(kindOr) {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0], true
	}
	return parts, true
}

// and parses parts joined by "&".
func (p *parser) and(nested int) (Predicate, bool) {
	var parts And
	for {
		x, ok := p.unary(nested)
		if !ok {
			return nil, false
		}
		if inner, ok := x.(And); ok {
			parts = append(parts, inner...)
		} else {
			parts = append(parts, x)
		}
		if !p.accept(kindAnd) {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0], true
	}
	return parts, true
}

// unary parses a term, "~" and what it negates, or parentheses.
func (p *parser) unary(nested int) (Predicate, bool) {
	if p.tok.kind == kindNot || p.tok.kind == kindLeftParen {
		if nested++; nested > MaxDepth {
			p.errorf(p.tok.position, "\"(\" and \"~\" nest deeper than %d; make several rules of this one", MaxDepth)
			return nil, false
		}
	}
	switch {
	case p.accept(kindNot):
		x, ok := p.unary(nested)
		return Not{x}, ok
	case p.accept(kindLeftParen):
		x, ok := p.or(nested)
		return x, ok && p.expect(kindRightParen, `"&", "|" or ")"`)
	}
	at := p.tok.position
	x, ok := p.term()
	if p.terms += weight(x); p.terms > MaxTerms {
		p.errorf(at, "the predicate has more than %d terms; make several rules of this one", MaxTerms)
		return nil, false
	}
	return x, ok
}

// weight is how many terms one counts as: an IPv6 prefix is tested word by
// word.
func weight(x Predicate) int {
	if a, ok := x.(Address); ok && a.family() == chain.IPv6 {
		const word = 32
		return max(1, (a.Prefix.Bits()+word-1)/word)
	}
	return 1
}

// term parses "any" or a field with its value.
func (p *parser) term() (Predicate, bool) {
	if p.accept(kindStar) || p.acceptWord("any") {
		return Any{}, true
	}
	name := p.tok
	if name.kind != kindWord || p.beginsStatement() || hints[name.text] != "" {
		return nil, p.unexpected(`a term as dstport=80, "any", "~" or "("`)
	}
	f, known := fieldOf(name.text)
	if !known {
		p.errorf(name.position, "unknown field %s%s", name, suggestField(name.text))
	}
	p.advance()
	if !p.expect(kindEquals, `"=" and a value after the field`) {
		return nil, false
	}
	value := p.tok
	if value.kind != kindWord || p.beginsStatement() {
		return nil, p.unexpected(`a value after "="`)
	}
	p.advance()
	var x Predicate = Any{}
	if known {
		x = p.value(f, value)
	}
	switch {
	case p.tok.kind == kindComma:
		p.errorf(p.tok.position, `expected "&", "|" or ")", found ","; give each value a term of its own: %s=%s | %s=...`,
			name.text, value.text, name.text)
		return nil, false
	case p.tok.kind == kindWord && strings.HasPrefix(p.tok.text, "-"):
		p.errorf(p.tok.position, "write a range without blanks: 5000-5999")
		return nil, false
	}
	return x, true
}

func fieldOf(name string) (Field, bool) {
	for f, n := range fieldNames {
		if n == name {
			return Field(f), true
		}
	}
	return 0, false
}

// fieldAliases are the names that other languages give to fields.
var fieldAliases = map[string]Field{
	"src": SrcIP, "source": SrcIP, "saddr": SrcIP, "src_ip": SrcIP, "src-ip": SrcIP,
	"dst": DstIP, "destination": DstIP, "daddr": DstIP, "dst_ip": DstIP, "dst-ip": DstIP,
	"sport": SrcPort, "src_port": SrcPort, "src-port": SrcPort,
	"dport": DstPort, "dst_port": DstPort, "dst-port": DstPort, "port": DstPort,
	"protocol": Proto, "ip_proto": Proto,
}

func suggestField(name string) string {
	if f, ok := fieldAliases[strings.ToLower(name)]; ok {
		return fmt.Sprintf("; did you mean %q?", f)
	}
	if s := didYouMean(name, fieldNames[:]); s != "" {
		return s
	}
	return "; fields are " + strings.Join(fieldNames[:], ", ")
}

// value makes a term of a field and its value. After an error it returns Any.
func (p *parser) value(f Field, value token) Predicate {
	switch f {
	case SrcIP, DstIP:
		if p.groups != nil && isName(value.text) {
			return groupRef{field: f, name: value}
		}
		if prefix, ok := p.prefix(value); ok {
			return Address{Field: f, Prefix: prefix}
		}
	case SrcPort, DstPort:
		if low, high, ok := p.portRange(value); ok {
			return Port{Field: f, Low: low, High: high}
		}
	case Proto:
		n, err := chain.ParseProtocol(value.text)
		if err == nil {
			return Protocol(n)
		}
		p.errorf(value.position, "%s is not a protocol; write tcp, udp or a number from 0 to 255", value)
	}
	return Any{}
}

func (p *parser) prefix(value token) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(value.text)
	address := prefix.Addr()
	if err != nil {
		if address, err = netip.ParseAddr(value.text); err != nil {
			p.errorf(value.position, "%s is not an address or prefix; write 10.0.0.1, 10.0.0.0/24 or fd00::/64", value)
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	const linkLocal = 10 // bits that all link-local addresses share
	switch {
	case address.Zone() != "":
		p.errorf(value.position, "%s has a zone, which only one host understands; write an address without", value)
	case address.Is4In6():
		p.errorf(value.position, "%s is an IPv4 address mapped into IPv6; write %s", value, unmapped(prefix))
	case address.Is6() && address.IsLinkLocalUnicast() && prefix.Bits() >= linkLocal:
		p.errorf(value.position, "%s is link-local: such sessions stay on one link and are never chained; leave it out", value)
	case prefix != prefix.Masked():
		p.errorf(value.position, "%s has bits set behind its prefix length; write %s, or %s for this address alone",
			value, prefix.Masked(), prefix.Addr())
	default:
		return prefix, true
	}
	return netip.Prefix{}, false
}

// unmapped returns what a prefix of mapped addresses should read.
func unmapped(prefix netip.Prefix) string {
	const mapped = 96 // bits that all mapped addresses share
	bits := max(prefix.Bits()-mapped, 0)
	return prefixText(netip.PrefixFrom(prefix.Addr().Unmap(), bits).Masked())
}

func (p *parser) portRange(value token) (low, high uint16, ok bool) {
	first, second, isRange := strings.Cut(value.text, "-")
	if !isRange {
		second = first
	}
	l, lowErr := strconv.ParseUint(first, 10, 16)
	h, highErr := strconv.ParseUint(second, 10, 16)
	if lowErr != nil || highErr != nil {
		p.errorf(value.position, "%s is not a port; write a number from 0 to 65535 or a range as 5000-5999", value)
		return 0, 0, false
	}
	if l > h {
		p.errorf(value.position, "the range %s runs backwards; write %d-%d", value, h, l)
		return 0, 0, false
	}
	return uint16(l), uint16(h), true
}
