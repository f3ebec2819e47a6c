// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

// newSession opens the right subsession, if there is one, from the address
// that the left one goes to. A session from the left with the same id is known,
// as in the module: one that was set up in-band waits then, but at the server.
func (k *Kernel) newSession(_ *socket, b []byte, _ bool) ([][]byte, error) {
	r, err := parseSessionRequest(b)
	if err != nil {
		return nil, err
	}
	if m := k.moving[r.ID]; m != nil && m.gone {
		return nil, k.notMovable()
	}
	if i := k.find(r.ID); i >= 0 && k.sessions[i].Left != nil && k.sessions[i].Left.Tuple == r.Left && k.joins(r) {
		return [][]byte{k.joinAgain(&k.sessions[i])}, nil
	}
	if why := k.wontInstall(r); why != genl.ReasonNone {
		k.counters[why]++
		return nil, refusal{installErrno[why], why.String()}
	}
	s := genl.Session{
		ID: r.ID, Role: chain.RoleServer, Super: r.Super, Hops: r.Hops,
		Left: &genl.Subsession{Tuple: r.Left}, Setup: chain.SetupDone,
	}
	if r.Live {
		s.State = chain.StateEstablished
	}
	if len(r.Hops) > 0 {
		s.Role, s.Setup = chain.RoleMiddle, chain.SetupWaiting
		if r.Live {
			s.Setup = chain.SetupDone
		}
		s.Right = &genl.Subsession{Tuple: k.openRight(r.Left.Destination.Addr(), r.Hops[0], r.Super.Protocol)}
	}
	k.counters[genl.ReasonSetupAccepted]++
	if r.Migration != 0 {
		k.join(r, s)
	}
	k.install(s)
	return [][]byte{encodeSession(&s, genl.ReasonNone)}, nil
}

func (k *Kernel) joinAgain(s *genl.Session) []byte {
	k.counters[genl.ReasonSetupRepeated]++
	answer := *s
	answer.Known = s.Setup == chain.SetupInBand
	if answer.Known && s.Role == chain.RoleMiddle {
		s.Setup = chain.SetupWaiting
	}
	answer.Setup = s.Setup
	return encodeSession(&answer, genl.ReasonNone)
}

var installErrno = map[genl.Reason]syscall.Errno{
	genl.ReasonTableFull:  syscall.ENOSPC,
	genl.ReasonTupleTaken: syscall.EEXIST,
	genl.ReasonHdrReplay:  syscall.EEXIST,
	genl.ReasonHdrLoop:    syscall.ELOOP,
}

// taken says whether a session comes in from the left by this tuple.
func (k *Kernel) taken(left chain.FiveTuple) bool {
	return slices.ContainsFunc(k.sessions, func(s genl.Session) bool { return s.Left != nil && s.Left.Tuple == left })
}

func (k *Kernel) wontInstall(r genl.SessionRequest) genl.Reason {
	switch {
	case k.find(r.ID) >= 0:
		return genl.ReasonHdrReplay
	case k.taken(r.Left):
		return genl.ReasonTupleTaken
	case len(r.Hops) > 0 && r.Hops[0] == r.Left.Destination.Addr():
		return genl.ReasonHdrLoop
	case len(k.sessions) >= int(k.config.MaxSessions):
		return genl.ReasonTableFull
	}
	return genl.ReasonNone
}

func (k *Kernel) openRight(from, to netip.Addr, protocol uint8) chain.FiveTuple {
	k.port++
	return chain.FiveTuple{
		Source:      netip.AddrPortFrom(from, k.port),
		Destination: netip.AddrPortFrom(to, k.port),
		Protocol:    protocol,
	}
}

func parseSessionRequest(b []byte) (genl.SessionRequest, error) {
	var (
		r               genl.SessionRequest
		id, super, left bool
		migration       bool
	)
	err := parse(b, attrs{
		uapi.SessionAttrID:    seen(&id, exactly(r.ID[:])),
		uapi.SessionAttrSuper: seen(&super, fiveTuple(&r.Super)),
		uapi.SessionAttrLeft: nested(func() (attrs, func() error) {
			return attrs{uapi.SideAttrTuple: seen(&left, fiveTuple(&r.Left))}, func() error { return nil }
		}),
		uapi.SessionAttrHops:  hosts(&r.Hops, 4),
		uapi.SessionAttrHops6: hosts(&r.Hops, 16),
		uapi.SessionAttrLive:  flag(&r.Live),

		uapi.SessionAttrMigration: seen(&migration, number(&r.Migration)),
		uapi.SessionAttrPlan:      plan(&r.Plan),
	})
	switch {
	case err != nil:
	case !id || r.ID.IsZero() || !super || !left:
		err = refusal{syscall.EINVAL, "session without id, supersession or left tuple"}
	case migration != (len(r.Plan) > 0) || migration && !r.Live:
		err = refusal{syscall.EINVAL, "a migration without its plan, or of a session that does not live"}
	case r.Left.Family() != r.Super.Family() || r.Left.Protocol != r.Super.Protocol:
		err = refusal{syscall.EINVAL, "left tuple of another family or protocol"}
	case slices.ContainsFunc(r.Hops, func(h netip.Addr) bool { return chain.FamilyOf(h) != r.Super.Family() }):
		err = refusal{syscall.EINVAL, "hop of another family"}
	}
	return r, err
}

func fiveTuple(t *chain.FiveTuple) func(netlink.Attribute) error {
	return nested(func() (attrs, func() error) {
		var (
			saddr, daddr netip.Addr
			sport, dport [2]byte
		)
		return attrs{
				uapi.TupleAttrSaddr4: addr4(&saddr),
				uapi.TupleAttrDaddr4: addr4(&daddr),
				uapi.TupleAttrSaddr6: addr6(&saddr),
				uapi.TupleAttrDaddr6: addr6(&daddr),
				uapi.TupleAttrSport:  exactly(sport[:]),
				uapi.TupleAttrDport:  exactly(dport[:]),
				uapi.TupleAttrProto:  number(&t.Protocol),
			}, func() error {
				t.Source = netip.AddrPortFrom(saddr, binary.BigEndian.Uint16(sport[:]))
				t.Destination = netip.AddrPortFrom(daddr, binary.BigEndian.Uint16(dport[:]))
				if !t.Valid() || t.Protocol != chain.ProtocolTCP && t.Protocol != chain.ProtocolUDP {
					return refusal{syscall.EINVAL, "not a five-tuple of a session"}
				}
				return nil
			}
	})
}

func hosts(dst *[]netip.Addr, size int) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		b := a.Data
		if len(b) > size*(genl.MaxHops-1) {
			return errSize
		}
		if len(b) == 0 || len(b)%size != 0 {
			return refusal{syscall.EINVAL, "not an array of addresses"}
		}
		for ; len(b) > 0; b = b[size:] {
			var h netip.Addr
			if err := host(&h, b[:size]); err != nil {
				return err
			}
			*dst = append(*dst, h)
		}
		return nil
	}
}

// setSession ends a wait. Why it failed is counted; a client's session is then
// blocked, for a Kernel looks up no rule, and another one ends.
func (k *Kernel) setSession(_ *socket, b []byte, _ bool) ([][]byte, error) {
	var (
		id         chain.SessionID
		setup      uint8
		why        uint32
		given, end bool
	)
	err := parse(b, attrs{
		uapi.SessionAttrID:    seen(&given, exactly(id[:])),
		uapi.SessionAttrSetup: inRange(uapi.SetupInBand, uapi.SetupFailed, func(v uint8) { setup = v }),
		uapi.SessionAttrEnd:   seen(&end, number(&why)),
	})
	if err != nil {
		return nil, err
	}
	failed := setup == uapi.SetupFailed
	passes := genl.Reason(why) == genl.ReasonNoAnswer || genl.Reason(why) == genl.ReasonPeerRefused
	if !given || setup == 0 || setup == uapi.SetupWaiting || end && !failed || end && !passes {
		return nil, refusal{syscall.EINVAL, "no id, no outcome, or a reason that is none"}
	}
	if failed && !end {
		why = uint32(genl.ReasonPeerRefused)
	}
	i := k.find(id)
	if i < 0 {
		return nil, refusal{syscall.ENOENT, "no such session"}
	}
	if k.sessions[i].Setup != chain.SetupWaiting {
		return nil, refusal{syscall.EALREADY, "the session does not wait"}
	}
	switch {
	case !failed:
		k.sessions[i].Setup = chain.SetupDone
		k.counters[genl.ReasonSetupDone]++
	case k.sessions[i].Role == chain.RoleClient:
		k.sessions[i].Setup = chain.SetupBlocked
		k.counters[genl.Reason(why)]++
	default:
		k.end(id, genl.Reason(why))
	}
	return nil, nil
}

func (k *Kernel) getPeer(_ *socket, b []byte, dump bool) ([][]byte, error) {
	if !dump {
		return nil, refusal{errno: syscall.EOPNOTSUPP}
	}
	if err := parse(b, nil); err != nil {
		return nil, err
	}
	var bodies [][]byte
	for _, p := range k.peers {
		bodies = append(bodies, encodePeer(p))
	}
	return bodies, nil
}

func encodePeer(p genl.Peer) []byte {
	ae := netlink.NewAttributeEncoder()
	if f := chain.FamilyOf(p.Addr); f == chain.IPv6 {
		ae.Bytes(uapi.PeerAttrAddr6, bytesOf(f, p.Addr))
	} else {
		ae.Bytes(uapi.PeerAttrAddr4, bytesOf(f, p.Addr))
	}
	ae.Uint64(uapi.PeerAttrExpires, uint64(p.Expires/time.Millisecond))
	ae.Uint64(uapi.PeerAttrSessions, p.Sessions)
	return encode(ae)
}
