// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"mbchain/chain"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

func encodeSessionID(id chain.SessionID) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(uapi.SessionAttrID, id[:])
	return ae.Encode()
}

func encodeSessionRequest(r SessionRequest) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(uapi.SessionAttrID, r.ID[:])
	ae.Nested(uapi.SessionAttrSuper, tupleFrom(r.Super))
	ae.Nested(uapi.SessionAttrLeft, func(ae *netlink.AttributeEncoder) error {
		ae.Nested(uapi.SideAttrTuple, tupleFrom(r.Left))
		return nil
	})
	if len(r.Hops) > 0 {
		encodeHops(ae, r.Super.Family(), r.Hops)
	}
	ae.Flag(uapi.SessionAttrLive, r.Live)
	if r.Migration != 0 {
		ae.Uint64(uapi.SessionAttrMigration, r.Migration)
	}
	if len(r.Plan) > 0 {
		encodePlan(ae, r.Plan)
	}
	return ae.Encode()
}

func encodeFinish(id chain.SessionID, how chain.Setup, why Reason) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(uapi.SessionAttrID, id[:])
	ae.Uint8(uapi.SessionAttrSetup, uint8(how))
	if why != ReasonNone {
		ae.Uint32(uapi.SessionAttrEnd, uint32(why))
	}
	return ae.Encode()
}

func encodeHops(ae *netlink.AttributeEncoder, f chain.Family, hops []netip.Addr) {
	attr := uint16(uapi.SessionAttrHops)
	if f == chain.IPv6 {
		attr = uapi.SessionAttrHops6
	}
	ae.Do(attr, func() ([]byte, error) {
		if len(hops) > MaxHops {
			return nil, fmt.Errorf("%d hops: %w", len(hops), ErrTooBig)
		}
		var all []byte
		for _, h := range hops {
			b, err := addressOf(f, h)()
			if err != nil {
				return nil, err
			}
			all = append(all, b...)
		}
		return all, nil
	})
}

// tupleFrom writes a five-tuple, whose addresses must be of one family.
func tupleFrom(t chain.FiveTuple) func(*netlink.AttributeEncoder) error {
	return func(ae *netlink.AttributeEncoder) error {
		saddr, daddr := uint16(uapi.TupleAttrSaddr4), uint16(uapi.TupleAttrDaddr4)
		family := t.Family()
		switch family {
		case chain.IPv4:
		case chain.IPv6:
			saddr, daddr = uapi.TupleAttrSaddr6, uapi.TupleAttrDaddr6
		default:
			return fmt.Errorf("five-tuple %v is not of one family: %w", t, ErrInvalid)
		}
		ae.Do(saddr, addressOf(family, t.Source.Addr()))
		ae.Do(daddr, addressOf(family, t.Destination.Addr()))
		ae.Bytes(uapi.TupleAttrSport, binary.BigEndian.AppendUint16(nil, t.Source.Port()))
		ae.Bytes(uapi.TupleAttrDport, binary.BigEndian.AppendUint16(nil, t.Destination.Port()))
		ae.Uint8(uapi.TupleAttrProto, t.Protocol)
		return nil
	}
}
