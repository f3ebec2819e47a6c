// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// FiveTuple names one direction of a session: of a supersession end to end,
// or of a subsession on the wire.
type FiveTuple struct {
	Source      netip.AddrPort
	Destination netip.AddrPort
	Protocol    uint8 // IP protocol number, ProtocolTCP for instance
}

// Reverse returns the tuple of the packets that answer t.
func (t FiveTuple) Reverse() FiveTuple {
	return FiveTuple{Source: t.Destination, Destination: t.Source, Protocol: t.Protocol}
}

// Check returns nil when t can name a session: both addresses unicast and of
// one family, and no port 0. Otherwise the error says what is wrong. The
// protocol may be any.
func (t FiveTuple) Check() error {
	if err := checkEnd(t.Source); err != nil {
		return fmt.Errorf("source %w", err)
	}
	if err := checkEnd(t.Destination); err != nil {
		return fmt.Errorf("destination %w", err)
	}
	if t.Source.Addr().Is4() != t.Destination.Addr().Is4() {
		return errors.New("source and destination are of different families")
	}
	return nil
}

// Family returns the family of both addresses, 0 if they have none in common.
func (t FiveTuple) Family() Family {
	if f := FamilyOf(t.Source.Addr()); f == FamilyOf(t.Destination.Addr()) {
		return f
	}
	return 0
}

// Valid reports whether [FiveTuple.Check] returns nil.
func (t FiveTuple) Valid() bool { return t.Check() == nil }

func checkEnd(end netip.AddrPort) error {
	if !end.IsValid() {
		return errors.New("is missing")
	}
	if a := end.Addr(); !IsUnicast(a) {
		return fmt.Errorf("%s is not a unicast address", a)
	}
	if end.Port() == 0 {
		return fmt.Errorf("%s has port 0", end)
	}
	return nil
}

// String returns the tuple as "10.0.0.1:40000 > 10.0.0.4:80 tcp".
func (t FiveTuple) String() string {
	return fmt.Sprintf("%s > %s %s", t.Source, t.Destination, ProtocolName(t.Protocol))
}

// ParseFiveTuple reads a tuple in either of the forms
//
//	10.0.0.1:40000 > 10.0.0.4:80 tcp
//	tcp 10.0.0.1:40000 10.0.0.4:80
//
// where an IPv6 address stands in brackets: [fd00::1]:40000. In both the ">" may be left out, and so may the protocol, which is then
// tcp. The result is [FiveTuple.Valid].
func ParseFiveTuple(s string) (FiveTuple, error) {
	fields := strings.Fields(strings.Replace(s, ">", " ", 1))
	protocol := "tcp"
	if len(fields) == 3 {
		if strings.Contains(fields[0], ":") {
			protocol, fields = fields[2], fields[:2]
		} else {
			protocol, fields = fields[0], fields[1:]
		}
	}
	if len(fields) != 2 {
		return FiveTuple{}, fmt.Errorf("parse five-tuple %q: not of the form SOURCE:PORT > DESTINATION:PORT PROTOCOL", s)
	}
	var (
		t   FiveTuple
		err error
	)
	if t.Protocol, err = ParseProtocol(protocol); err != nil {
		return FiveTuple{}, fmt.Errorf("parse five-tuple %q: %w", s, err)
	}
	if t.Source, err = parseEnd(fields[0]); err != nil {
		return FiveTuple{}, fmt.Errorf("parse five-tuple %q: source %w", s, err)
	}
	if t.Destination, err = parseEnd(fields[1]); err != nil {
		return FiveTuple{}, fmt.Errorf("parse five-tuple %q: destination %w", s, err)
	}
	if err := t.Check(); err != nil {
		return FiveTuple{}, fmt.Errorf("parse five-tuple %q: %w", s, err)
	}
	return t, nil
}

func parseEnd(s string) (netip.AddrPort, error) {
	end, err := netip.ParseAddrPort(s)
	if err != nil || end.Addr().Zone() != "" {
		if strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "[") {
			return netip.AddrPort{}, fmt.Errorf("%q is not [ADDRESS]:PORT", s)
		}
		return netip.AddrPort{}, fmt.Errorf("%q is not ADDRESS:PORT", s)
	}
	return netip.AddrPortFrom(end.Addr().Unmap(), end.Port()), nil
}

// MarshalText returns [FiveTuple.String] as text, so that a tuple is one
// string in JSON. The zero tuple is the empty text.
func (t FiveTuple) MarshalText() ([]byte, error) {
	if t == (FiveTuple{}) {
		return []byte{}, nil
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads what [FiveTuple.MarshalText] wrote, as
// [ParseFiveTuple] does.
func (t *FiveTuple) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = FiveTuple{}
		return nil
	}
	parsed, err := ParseFiveTuple(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}
