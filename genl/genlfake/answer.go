// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

func (k *Kernel) encodeInfo() []byte {
	ae := netlink.NewAttributeEncoder()
	ae.String(uapi.InfoAttrVersion, Version)
	ae.Uint32(uapi.InfoAttrSessions, uint32(len(k.sessions)))
	ae.Uint32(uapi.InfoAttrSessionBytes, sessionBytes)
	ae.Uint64(uapi.InfoAttrTableBytes, tableBytes)
	var (
		version uint64
		rules   int
	)
	if k.policy != nil {
		version, rules = k.policy.Version, len(k.policy.Rules)
	}
	ae.Uint64(uapi.InfoAttrPolicyVersion, version)
	ae.Uint32(uapi.InfoAttrRules, uint32(rules))
	for _, key := range k.keys {
		ae.Uint32(uapi.InfoAttrKeyID, key.ID)
	}
	ae.Nested(uapi.InfoAttrConfig, func(ae *netlink.AttributeEncoder) error {
		c := k.config
		ae.Uint32(uapi.ConfigAttrMaxSessions, c.MaxSessions)
		ae.Uint32(uapi.ConfigAttrSYNTimeout, uint32(c.SYNTimeout/time.Millisecond))
		ae.Uint32(uapi.ConfigAttrIdleTimeout, uint32(c.IdleTimeout/time.Millisecond))
		ae.Uint32(uapi.ConfigAttrCloseTimeout, uint32(c.CloseTimeout/time.Millisecond))
		ae.Uint32(uapi.ConfigAttrFreshness, uint32(c.Freshness/time.Second))
		ae.Uint16(uapi.ConfigAttrPortMin, c.PortMin)
		ae.Uint16(uapi.ConfigAttrPortMax, c.PortMax)
		ae.Uint32(uapi.ConfigAttrUDPTimeout, uint32(c.UDPTimeout/time.Millisecond))
		ae.Uint32(uapi.ConfigAttrUDPStreamTimeout, uint32(c.UDPStreamTimeout/time.Millisecond))
		ae.Uint32(uapi.ConfigAttrSetupTimeout, uint32(c.SetupTimeout/time.Millisecond))
		ae.Uint8(uapi.ConfigAttrGateway, map[bool]uint8{true: 1}[*c.Gateway])
		return nil
	})
	encodeNF(ae, k.nf)
	return encode(ae)
}

func (k *Kernel) encodePolicy() []byte {
	p := k.policy
	if p == nil {
		p = new(genl.Policy)
	}
	ae := netlink.NewAttributeEncoder()
	ae.Uint64(uapi.PolicyAttrVersion, p.Version)
	ae.Bytes(uapi.PolicyAttrSeed, p.Seed[:])
	ae.Uint32(uapi.PolicyAttrNTypes, uint32(len(p.Types)))
	ae.Uint32(uapi.PolicyAttrNRules, uint32(len(p.Rules)))
	ae.Uint32(uapi.PolicyAttrNProgs, uint32(len(p.Programs)+len(p.Programs6)))
	ae.Uint32(uapi.PolicyAttrNHosts, uint32(len(p.Hosts)))
	return encode(ae)
}

func encodePolicyVersion(version uint64) []byte {
	ae := netlink.NewAttributeEncoder()
	ae.Uint64(uapi.PolicyAttrVersion, version)
	return encode(ae)
}

func encodeRule(r genl.Rule, hits uint64) []byte {
	ae := netlink.NewAttributeEncoder()
	ae.Uint32(uapi.RuleAttrID, r.ID)
	ae.Uint8(uapi.RuleAttrOnFailure, uint8(r.OnFailure))
	var types []byte
	for _, t := range r.Types {
		types = binary.NativeEndian.AppendUint16(types, t)
	}
	ae.Bytes(uapi.RuleAttrTypes, types)
	ae.Uint64(uapi.RuleAttrHits, hits)
	ae.Uint8(uapi.RuleAttrSetup, uint8(r.Setup))
	return encode(ae)
}

func (k *Kernel) encodeStats() []byte {
	ae := netlink.NewAttributeEncoder()
	for r := genl.ReasonNone + 1; r <= genl.ReasonMax; r++ {
		ae.Nested(uapi.StatsAttrCounter, func(ae *netlink.AttributeEncoder) error {
			ae.Uint32(uapi.CounterAttrReason, uint32(r))
			ae.String(uapi.CounterAttrName, r.String())
			ae.Uint64(uapi.CounterAttrValue, k.counters[r])
			return nil
		})
	}
	return encode(ae)
}

// encodeSession encodes a session, and why it ended unless that is
// ReasonNone.
func encodeSession(s *genl.Session, end genl.Reason) []byte {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(uapi.SessionAttrID, s.ID[:])
	ae.Uint8(uapi.SessionAttrRole, uint8(s.Role))
	ae.Uint8(uapi.SessionAttrState, uint8(s.State))
	encodeTuple(ae, uapi.SessionAttrSuper, s.Super)
	encodeSide(ae, uapi.SessionAttrLeft, s.Left)
	encodeSide(ae, uapi.SessionAttrRight, s.Right)
	if s.Role == chain.RoleClient {
		ae.Uint32(uapi.SessionAttrRule, s.Rule)
		ae.Uint64(uapi.SessionAttrPolicyVersion, s.PolicyVersion)
	}
	encodeHops(ae, s)
	ae.Uint64(uapi.SessionAttrAge, uint64(s.Age/time.Millisecond))
	ae.Uint64(uapi.SessionAttrIdle, uint64(s.Idle/time.Millisecond))
	ae.Uint8(uapi.SessionAttrSetup, uint8(s.Setup))
	ae.Flag(uapi.SessionAttrKnown, s.Known)
	ae.Flag(uapi.SessionAttrGone, s.Leaving)
	if end != genl.ReasonNone {
		ae.Uint32(uapi.SessionAttrEnd, uint32(end))
	}
	return encode(ae)
}

func encodeHops(ae *netlink.AttributeEncoder, s *genl.Session) {
	family, attr := s.Super.Family(), uint16(uapi.SessionAttrHops)
	if family == chain.IPv6 {
		attr = uapi.SessionAttrHops6
	}
	var hops []byte
	for _, h := range s.Hops {
		hops = append(hops, bytesOf(family, h)...)
	}
	ae.Bytes(attr, hops)
}

func encodeSide(ae *netlink.AttributeEncoder, attr uint16, s *genl.Subsession) {
	if s == nil {
		return
	}
	ae.Nested(attr, func(ae *netlink.AttributeEncoder) error {
		encodeTuple(ae, uapi.SideAttrTuple, s.Tuple)
		ae.Uint64(uapi.SideAttrInPackets, s.InPackets)
		ae.Uint64(uapi.SideAttrInBytes, s.InBytes)
		ae.Uint64(uapi.SideAttrOutPackets, s.OutPackets)
		ae.Uint64(uapi.SideAttrOutBytes, s.OutBytes)
		return nil
	})
}

func encodeTuple(ae *netlink.AttributeEncoder, attr uint16, t chain.FiveTuple) {
	family := t.Family()
	saddr, daddr := uint16(uapi.TupleAttrSaddr4), uint16(uapi.TupleAttrDaddr4)
	if family == chain.IPv6 {
		saddr, daddr = uapi.TupleAttrSaddr6, uapi.TupleAttrDaddr6
	}
	ae.Nested(attr, func(ae *netlink.AttributeEncoder) error {
		ae.Bytes(saddr, bytesOf(family, t.Source.Addr()))
		ae.Bytes(daddr, bytesOf(family, t.Destination.Addr()))
		ae.Bytes(uapi.TupleAttrSport, binary.BigEndian.AppendUint16(nil, t.Source.Port()))
		ae.Bytes(uapi.TupleAttrDport, binary.BigEndian.AppendUint16(nil, t.Destination.Port()))
		ae.Uint8(uapi.TupleAttrProto, t.Protocol)
		return nil
	})
}

// bytesOf panics for what is not of the session's family: the test made it up.
func bytesOf(f chain.Family, a netip.Addr) []byte {
	if f == 0 || chain.FamilyOf(a) != f {
		panic(fmt.Sprintf("genlfake: %v is not an %v address", a, f))
	}
	return a.AsSlice()
}

func encode(ae *netlink.AttributeEncoder) []byte {
	b, err := ae.Encode()
	if err != nil {
		panic(fmt.Sprintf("genlfake: encode attributes: %v", err))
	}
	return b
}

func marshal(m encoding.BinaryMarshaler) []byte {
	b, err := m.MarshalBinary()
	if err != nil {
		panic(fmt.Sprintf("genlfake: encode message: %v", err))
	}
	return b
}
