// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"mbchain/chain"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

// decodeSession reads a session, and why it ended if b says so.
func decodeSession(b []byte) (*Session, Reason, error) {
	var (
		s   Session
		end Reason
	)
	err := eachAttr(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case uapi.SessionAttrID:
			ad.Do(exactly(s.ID[:]))
		case uapi.SessionAttrRole:
			s.Role = chain.Role(ad.Uint8())
		case uapi.SessionAttrState:
			s.State = chain.State(ad.Uint8())
		case uapi.SessionAttrSuper:
			ad.Nested(tupleInto(&s.Super))
		case uapi.SessionAttrLeft:
			s.Left = new(Subsession)
			ad.Nested(eachOf(s.Left.decode))
		case uapi.SessionAttrRight:
			s.Right = new(Subsession)
			ad.Nested(eachOf(s.Right.decode))
		case uapi.SessionAttrRule:
			s.Rule = ad.Uint32()
		case uapi.SessionAttrPolicyVersion:
			s.PolicyVersion = ad.Uint64()
		case uapi.SessionAttrHops:
			ad.Do(hopsInto(&s.Hops, chain.IPv4))
		case uapi.SessionAttrHops6:
			ad.Do(hopsInto(&s.Hops, chain.IPv6))
		case uapi.SessionAttrAge:
			s.Age = milliseconds(ad.Uint64())
		case uapi.SessionAttrIdle:
			s.Idle = milliseconds(ad.Uint64())
		case uapi.SessionAttrSetup:
			s.Setup = chain.Setup(ad.Uint8())
		case uapi.SessionAttrKnown:
			s.Known = ad.Flag()
		case uapi.SessionAttrGone:
			s.Leaving = ad.Flag()
		case uapi.SessionAttrEnd:
			end = Reason(ad.Uint32())
		}
	})
	if err == nil && s.ID.IsZero() {
		err = errors.New("no session id")
	}
	if err == nil {
		err = s.checkFamily()
	}
	if err != nil {
		return nil, 0, malformed("session", err)
	}
	return &s, end, nil
}

func (s *Subsession) decode(ad *netlink.AttributeDecoder) {
	switch ad.Type() {
	case uapi.SideAttrTuple:
		ad.Nested(tupleInto(&s.Tuple))
	case uapi.SideAttrInPackets:
		s.InPackets = ad.Uint64()
	case uapi.SideAttrInBytes:
		s.InBytes = ad.Uint64()
	case uapi.SideAttrOutPackets:
		s.OutPackets = ad.Uint64()
	case uapi.SideAttrOutBytes:
		s.OutBytes = ad.Uint64()
	}
}

// checkFamily makes sure that all addresses are of one family.
func (s *Session) checkFamily() error {
	tuples := []chain.FiveTuple{s.Super}
	for _, side := range []*Subsession{s.Left, s.Right} {
		if side != nil {
			tuples = append(tuples, side.Tuple)
		}
	}
	var family chain.Family
	same := func(f chain.Family) bool {
		if family == 0 {
			family = f
		}
		return f == 0 || f == family
	}
	for _, t := range tuples {
		if !same(t.Family()) {
			return errors.New("tuples of two families")
		}
	}
	for _, h := range s.Hops {
		if !same(chain.FamilyOf(h)) {
			return errors.New("hops of another family")
		}
	}
	return nil
}

// hopsInto reads the addresses of one family, all of the same length.
func hopsInto(hops *[]netip.Addr, f chain.Family) func(b []byte) error {
	return func(b []byte) error {
		size := addressLen(f)
		if len(b)%size != 0 || len(b)/size > MaxHops {
			return fmt.Errorf("%d bytes of hops", len(b))
		}
		for ; len(b) > 0; b = b[size:] {
			a, err := addressFrom(f, b[:size])
			if err != nil {
				return err
			}
			*hops = append(*hops, a)
		}
		return nil
	}
}

// tupleInto reads a five-tuple, of which nothing may be missing and nothing be
// there twice, in both families.
func tupleInto(t *chain.FiveTuple) func(*netlink.AttributeDecoder) error {
	return func(ad *netlink.AttributeDecoder) error {
		var (
			saddr, daddr netip.Addr
			sport, dport [2]byte
			seen         uint
		)
		for ad.Next() {
			switch ad.Type() {
			case uapi.TupleAttrSaddr4:
				ad.Do(addressInto(&saddr, chain.IPv4))
			case uapi.TupleAttrDaddr4:
				ad.Do(addressInto(&daddr, chain.IPv4))
			case uapi.TupleAttrSaddr6:
				ad.Do(addressInto(&saddr, chain.IPv6))
			case uapi.TupleAttrDaddr6:
				ad.Do(addressInto(&daddr, chain.IPv6))
			case uapi.TupleAttrSport:
				ad.Do(exactly(sport[:]))
			case uapi.TupleAttrDport:
				ad.Do(exactly(dport[:]))
			case uapi.TupleAttrProto:
				t.Protocol = ad.Uint8()
			default:
				continue
			}
			seen |= 1 << ad.Type()
		}
		const (
			rest = 1<<uapi.TupleAttrSport | 1<<uapi.TupleAttrDport | 1<<uapi.TupleAttrProto
			all4 = 1<<uapi.TupleAttrSaddr4 | 1<<uapi.TupleAttrDaddr4 | rest
			all6 = 1<<uapi.TupleAttrSaddr6 | 1<<uapi.TupleAttrDaddr6 | rest
		)
		if err := ad.Err(); err != nil {
			return err
		}
		if seen != all4 && seen != all6 {
			return errors.New("incomplete five-tuple, or one of two families")
		}
		t.Source = netip.AddrPortFrom(saddr, binary.BigEndian.Uint16(sport[:]))
		t.Destination = netip.AddrPortFrom(daddr, binary.BigEndian.Uint16(dport[:]))
		return nil
	}
}
