// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"mbchain/chain"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

// Decoders pass over attributes that they do not know: a newer module may say
// more than this package understands.

// eachAttr calls read for every attribute in b.
func eachAttr(b []byte, read func(ad *netlink.AttributeDecoder)) error {
	ad, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return err
	}
	return eachOf(read)(ad)
}

// eachOf is eachAttr for the attributes of a nest.
func eachOf(read func(ad *netlink.AttributeDecoder)) func(*netlink.AttributeDecoder) error {
	return func(ad *netlink.AttributeDecoder) error {
		for ad.Next() {
			read(ad)
		}
		return ad.Err()
	}
}

func malformed(what string, err error) error {
	return fmt.Errorf("decode %s: %w: %w", what, ErrMalformed, err)
}

func decodeInfo(b []byte) (*Info, error) {
	var i Info
	err := eachAttr(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case uapi.InfoAttrVersion:
			i.ModuleVersion = ad.String()
		case uapi.InfoAttrSessions:
			i.Sessions = ad.Uint32()
		case uapi.InfoAttrSessionBytes:
			i.SessionBytes = ad.Uint32()
		case uapi.InfoAttrTableBytes:
			i.TableBytes = ad.Uint64()
		case uapi.InfoAttrPolicyVersion:
			i.PolicyVersion = ad.Uint64()
		case uapi.InfoAttrRules:
			i.Rules = ad.Uint32()
		case uapi.InfoAttrKeyID:
			i.KeyIDs = append(i.KeyIDs, ad.Uint32())
		case uapi.InfoAttrConfig:
			ad.Nested(eachOf(i.Config.decode))
		case uapi.InfoAttrNF:
			ad.Nested(eachOf(i.NF.decode))
		}
	})
	if err != nil {
		return nil, malformed("info", err)
	}
	return &i, nil
}

func (c *Config) decode(ad *netlink.AttributeDecoder) {
	switch ad.Type() {
	case uapi.ConfigAttrMaxSessions:
		c.MaxSessions = ad.Uint32()
	case uapi.ConfigAttrSYNTimeout:
		c.SYNTimeout = milliseconds(uint64(ad.Uint32()))
	case uapi.ConfigAttrIdleTimeout:
		c.IdleTimeout = milliseconds(uint64(ad.Uint32()))
	case uapi.ConfigAttrCloseTimeout:
		c.CloseTimeout = milliseconds(uint64(ad.Uint32()))
	case uapi.ConfigAttrFreshness:
		c.Freshness = time.Duration(ad.Uint32()) * time.Second
	case uapi.ConfigAttrPortMin:
		c.PortMin = ad.Uint16()
	case uapi.ConfigAttrPortMax:
		c.PortMax = ad.Uint16()
	case uapi.ConfigAttrUDPTimeout:
		c.UDPTimeout = milliseconds(uint64(ad.Uint32()))
	case uapi.ConfigAttrUDPStreamTimeout:
		c.UDPStreamTimeout = milliseconds(uint64(ad.Uint32()))
	case uapi.ConfigAttrSetupTimeout:
		c.SetupTimeout = milliseconds(uint64(ad.Uint32()))
	case uapi.ConfigAttrGateway:
		c.Gateway = new(ad.Uint8() != 0)
	}
}

func decodePolicyInfo(b []byte) (*PolicyInfo, error) {
	var p PolicyInfo
	err := eachAttr(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case uapi.PolicyAttrVersion:
			p.Version = ad.Uint64()
		case uapi.PolicyAttrSeed:
			ad.Do(exactly(p.Seed[:]))
		case uapi.PolicyAttrNTypes:
			p.Types = ad.Uint32()
		case uapi.PolicyAttrNRules:
			p.Rules = ad.Uint32()
		case uapi.PolicyAttrNProgs:
			p.Programs = ad.Uint32()
		case uapi.PolicyAttrNHosts:
			p.Hosts = ad.Uint32()
		}
	})
	if err != nil {
		return nil, malformed("policy", err)
	}
	return &p, nil
}

func decodeRule(b []byte) (*RuleStatus, error) {
	var r RuleStatus
	err := eachAttr(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case uapi.RuleAttrID:
			r.ID = ad.Uint32()
		case uapi.RuleAttrOnFailure:
			r.OnFailure = OnFailure(ad.Uint8())
		case uapi.RuleAttrSetup:
			r.Setup = SetupWay(ad.Uint8())
		case uapi.RuleAttrTypes:
			ad.Do(func(b []byte) error {
				if len(b)%2 != 0 || len(b)/2 >= MaxHops {
					return fmt.Errorf("%d bytes of types", len(b))
				}
				for ; len(b) > 0; b = b[2:] {
					r.Types = append(r.Types, binary.NativeEndian.Uint16(b))
				}
				return nil
			})
		case uapi.RuleAttrHits:
			r.Hits = ad.Uint64()
		}
	})
	if err != nil {
		return nil, malformed("rule", err)
	}
	return &r, nil
}

func decodeStats(b []byte) ([]Counter, error) {
	var counters []Counter
	err := eachAttr(b, func(ad *netlink.AttributeDecoder) {
		if ad.Type() != uapi.StatsAttrCounter {
			return
		}
		var c Counter
		ad.Nested(eachOf(func(ad *netlink.AttributeDecoder) {
			switch ad.Type() {
			case uapi.CounterAttrReason:
				c.Reason = Reason(ad.Uint32())
			case uapi.CounterAttrName:
				c.Name = ad.String()
			case uapi.CounterAttrValue:
				c.Value = ad.Uint64()
			}
		}))
		counters = append(counters, c)
	})
	if err != nil {
		return nil, malformed("stats", err)
	}
	return counters, nil
}

func decodePeer(b []byte) (*Peer, error) {
	var p Peer
	err := eachAttr(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case uapi.PeerAttrAddr4:
			ad.Do(addressInto(&p.Addr, chain.IPv4))
		case uapi.PeerAttrAddr6:
			ad.Do(addressInto(&p.Addr, chain.IPv6))
		case uapi.PeerAttrExpires:
			p.Expires = milliseconds(ad.Uint64())
		case uapi.PeerAttrSessions:
			p.Sessions = ad.Uint64()
		}
	})
	if err == nil && !p.Addr.IsValid() {
		err = errors.New("no address")
	}
	if err != nil {
		return nil, malformed("peer", err)
	}
	return &p, nil
}

func decodePolicyVersion(b []byte) (uint64, error) {
	p, err := decodePolicyInfo(b)
	if err != nil {
		return 0, err
	}
	return p.Version, nil
}

// exactly copies an attribute into dst, which has the only length allowed.
func exactly(dst []byte) func(b []byte) error {
	return func(b []byte) error {
		if len(b) != len(dst) {
			return fmt.Errorf("attribute of %d bytes instead of %d", len(b), len(dst))
		}
		copy(dst, b)
		return nil
	}
}

// milliseconds is n ms, or the longest duration if that is shorter.
func milliseconds(n uint64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond
}
