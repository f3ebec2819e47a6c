// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"time"

	"mbchain/chain"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
)

// maxAdd bounds the attributes of one POLICY_ADD, far below what a netlink
// socket takes at once. Only a single longer attribute, a program of more than
// 4095 instructions, may pass it: by its own header.
const maxAdd = 32 << 10

func encodeConfig(c Config) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	if c.MaxSessions != 0 {
		ae.Uint32(uapi.ConfigAttrMaxSessions, c.MaxSessions)
	}
	for _, t := range []struct {
		name  string
		attr  uint16
		value time.Duration
		unit  time.Duration
	}{
		{"SYN timeout", uapi.ConfigAttrSYNTimeout, c.SYNTimeout, time.Millisecond},
		{"idle timeout", uapi.ConfigAttrIdleTimeout, c.IdleTimeout, time.Millisecond},
		{"close timeout", uapi.ConfigAttrCloseTimeout, c.CloseTimeout, time.Millisecond},
		{"UDP timeout", uapi.ConfigAttrUDPTimeout, c.UDPTimeout, time.Millisecond},
		{"UDP stream timeout", uapi.ConfigAttrUDPStreamTimeout, c.UDPStreamTimeout, time.Millisecond},
		{"set-up timeout", uapi.ConfigAttrSetupTimeout, c.SetupTimeout, time.Millisecond},
		{"freshness", uapi.ConfigAttrFreshness, c.Freshness, time.Second},
	} {
		if t.value == 0 {
			continue
		}
		if t.value < 0 || t.value%t.unit != 0 || t.value/t.unit > math.MaxUint32 {
			return nil, fmt.Errorf("%s %v: %w", t.name, t.value, ErrRange)
		}
		ae.Uint32(t.attr, uint32(t.value/t.unit))
	}
	if c.PortMin != 0 {
		ae.Uint16(uapi.ConfigAttrPortMin, c.PortMin)
	}
	if c.PortMax != 0 {
		ae.Uint16(uapi.ConfigAttrPortMax, c.PortMax)
	}
	if c.Gateway != nil {
		ae.Uint8(uapi.ConfigAttrGateway, oneIf(*c.Gateway))
	}
	return ae.Encode()
}

func oneIf(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func encodeKeys(keys []Key) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	for _, k := range keys {
		ae.Nested(uapi.KeysAttrKey, func(nae *netlink.AttributeEncoder) error {
			nae.Uint32(uapi.KeyAttrID, k.ID)
			nae.Bytes(uapi.KeyAttrSecret, k.Secret[:])
			return nil
		})
	}
	return ae.Encode()
}

func encodeBegin(p *Policy) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Uint64(uapi.PolicyAttrVersion, p.Version)
	ae.Bytes(uapi.PolicyAttrSeed, p.Seed[:])
	return ae.Encode()
}

func encodeCommit(p *Policy) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Uint64(uapi.PolicyAttrVersion, p.Version)
	return ae.Encode()
}

// encodeAdds returns the bodies of the POLICY_ADD messages that p takes. Types
// come first, for rules name them.
func encodeAdds(p *Policy) ([][]byte, error) {
	var a adds
	for i, t := range p.Types {
		if err := a.add(func(ae *netlink.AttributeEncoder) { encodeType(ae, t) }); err != nil {
			return nil, fmt.Errorf("type %d %q: %w", i, t.Name, err)
		}
	}
	for i, r := range p.Rules {
		if err := a.add(func(ae *netlink.AttributeEncoder) { encodeRule(ae, r) }); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	for i, g := range p.Guards {
		if err := a.add(func(ae *netlink.AttributeEncoder) { encodeGuard(ae, g) }); err != nil {
			return nil, fmt.Errorf("guard %d: %w", i+1, err)
		}
	}
	for _, list := range []struct {
		noun     string
		attr     uint16
		programs [][]bpf.RawInstruction
	}{
		{"program", uapi.PolicyAttrProg, p.Programs},
		{"IPv6 program", uapi.PolicyAttrProg6, p.Programs6},
		{"guard program", uapi.PolicyAttrGuardProg, p.GuardPrograms},
		{"IPv6 guard program", uapi.PolicyAttrGuardProg6, p.GuardPrograms6},
	} {
		for i, prog := range list.programs {
			if len(prog) > MaxInstructions {
				return nil, fmt.Errorf("%s %d: %d instructions: %w", list.noun, i, len(prog), ErrTooBig)
			}
			err := a.add(func(ae *netlink.AttributeEncoder) { ae.Bytes(list.attr, encodeProgram(prog)) })
			if err != nil {
				return nil, fmt.Errorf("%s %d: %w", list.noun, i, err)
			}
		}
	}
	for _, h := range p.Hosts {
		if err := a.add(func(ae *netlink.AttributeEncoder) { encodeHost(ae, h) }); err != nil {
			return nil, fmt.Errorf("host: %w", err)
		}
	}
	return a.finish(), nil
}

// adds gathers attributes into messages of at most maxAdd bytes.
type adds struct {
	messages [][]byte
	open     []byte
}

func (a *adds) add(encode func(ae *netlink.AttributeEncoder)) error {
	ae := netlink.NewAttributeEncoder()
	encode(ae)
	b, err := ae.Encode()
	if err != nil {
		return err
	}
	if len(a.open) > 0 && len(a.open)+len(b) > maxAdd {
		a.messages = append(a.messages, a.open)
		a.open = nil
	}
	a.open = append(a.open, b...)
	return nil
}

func (a *adds) finish() [][]byte {
	if len(a.open) > 0 {
		a.messages = append(a.messages, a.open)
	}
	return a.messages
}

func encodeType(ae *netlink.AttributeEncoder, t Type) {
	ae.Nested(uapi.PolicyAttrType, func(nae *netlink.AttributeEncoder) error {
		nae.String(uapi.TypeAttrName, t.Name)
		if t.Choice != ByHash {
			nae.Uint8(uapi.TypeAttrChoice, uint8(t.Choice))
		}
		for _, inst := range t.Instances {
			nae.Nested(uapi.TypeAttrInstance, func(iae *netlink.AttributeEncoder) error {
				if inst.Addr.IsValid() || !inst.Addr6.IsValid() {
					iae.Do(uapi.InstanceAttrAddr4, addressOf(chain.IPv4, inst.Addr))
				}
				if inst.Addr6.IsValid() {
					iae.Do(uapi.InstanceAttrAddr6, addressOf(chain.IPv6, inst.Addr6))
				}
				iae.Uint32(uapi.InstanceAttrWeight, inst.Weight)
				return nil
			})
		}
		return nil
	})
}

func encodeRule(ae *netlink.AttributeEncoder, r Rule) {
	ae.Nested(uapi.PolicyAttrRule, func(nae *netlink.AttributeEncoder) error {
		nae.Uint32(uapi.RuleAttrID, r.ID)
		nae.Uint8(uapi.RuleAttrOnFailure, uint8(r.OnFailure))
		types := make([]byte, 0, 2*len(r.Types))
		for _, t := range r.Types {
			types = binary.NativeEndian.AppendUint16(types, t)
		}
		nae.Bytes(uapi.RuleAttrTypes, types)
		if r.Setup != SetupAuto {
			nae.Uint8(uapi.RuleAttrSetup, uint8(r.Setup))
		}
		return nil
	})
}

func encodeGuard(ae *netlink.AttributeEncoder, g Guard) {
	ae.Nested(uapi.PolicyAttrGuard, func(nae *netlink.AttributeEncoder) error {
		nae.Uint32(uapi.GuardAttrID, g.ID)
		if g.Required {
			nae.Flag(uapi.GuardAttrRequired, true)
		}
		return nil
	})
}

// encodeProgram writes instructions as struct sock_filter.
func encodeProgram(prog []bpf.RawInstruction) []byte {
	b := make([]byte, 0, 8*len(prog))
	for _, i := range prog {
		b = binary.NativeEndian.AppendUint16(b, i.Op)
		b = append(b, i.Jt, i.Jf)
		b = binary.NativeEndian.AppendUint32(b, i.K)
	}
	return b
}

func encodeHost(ae *netlink.AttributeEncoder, host netip.Addr) {
	if chain.FamilyOf(host) == chain.IPv6 {
		ae.Do(uapi.PolicyAttrHost6, addressOf(chain.IPv6, host))
	} else {
		ae.Do(uapi.PolicyAttrHost4, addressOf(chain.IPv4, host))
	}
}
