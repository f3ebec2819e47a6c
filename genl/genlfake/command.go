// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// Of generic netlink's controller.
const (
	controlID         = 0x10 // GENL_ID_CTRL
	controlNewFamily  = 1
	controlGetFamily  = 3
	controlFamilyID   = 1
	controlFamilyName = 2
	controlVersion    = 3
	controlGroups     = 7
	controlGroupName  = 1
	controlGroupID    = 2
	extackMessage     = 1 // NLMSGERR_ATTR_MSG
)

// handle runs one request and queues what a kernel would answer.
func (k *Kernel) handle(s *socket, req netlink.Message) {
	bodies, err := k.run(s, req)
	if k.silent && req.Header.Type != controlID {
		return
	}
	if err != nil {
		s.deliver(datagram{messages: []netlink.Message{errorMessage(req, err)}})
		return
	}
	header := netlink.Header{
		Type:     req.Header.Type,
		Sequence: req.Header.Sequence,
		PID:      s.pid,
	}
	if req.Header.Flags&netlink.Dump == netlink.Dump {
		header.Flags = netlink.Multi
		if k.breaks > 0 {
			k.breaks--
			header.Flags |= netlink.DumpInterrupted
		}
		done := header
		done.Type = netlink.Done
		for _, b := range bodies {
			s.deliver(datagram{messages: []netlink.Message{{Header: header, Data: b}}})
		}
		s.deliver(datagram{messages: []netlink.Message{{Header: done, Data: make([]byte, 4)}}})
		return
	}
	for _, b := range bodies {
		s.deliver(datagram{messages: []netlink.Message{{Header: header, Data: b}}})
	}
	if req.Header.Flags&netlink.Acknowledge != 0 {
		s.deliver(datagram{messages: []netlink.Message{errorMessage(req, nil)}})
	}
}

// errorMessage is an NLMSG_ERROR: the errno, the request, the explanation.
func errorMessage(req netlink.Message, err error) netlink.Message {
	var r refusal
	if err != nil && !errors.As(err, &r) {
		r = refusal{syscall.EINVAL, err.Error()}
	}
	m := netlink.Message{Header: netlink.Header{
		Type:     netlink.Error,
		Sequence: req.Header.Sequence,
		PID:      req.Header.PID,
	}}
	m.Data = binary.NativeEndian.AppendUint32(nil, uint32(-int32(r.errno)))
	m.Data = append(m.Data, marshal(req)...)
	if r.message != "" {
		m.Header.Flags = netlink.AcknowledgeTLVs
		ae := netlink.NewAttributeEncoder()
		ae.String(extackMessage, r.message)
		m.Data = append(m.Data, encode(ae)...)
	}
	return m
}

// run runs one request and returns the answers.
func (k *Kernel) run(s *socket, req netlink.Message) ([][]byte, error) {
	var m genetlink.Message
	if err := m.UnmarshalBinary(req.Data); err != nil {
		return nil, err
	}
	if req.Header.Type == controlID {
		return k.control(m)
	}
	if !k.loaded || req.Header.Type != netlink.HeaderType(k.familyID) {
		return nil, refusal{errno: syscall.ENOENT}
	}
	if r := k.refusals[Command(m.Header.Command)]; len(r) > 0 {
		k.refusals[Command(m.Header.Command)] = r[1:]
		return nil, r[0]
	}
	run, ok := commands[m.Header.Command]
	if !ok {
		return nil, refusal{errno: syscall.EOPNOTSUPP}
	}
	bodies, err := run(k, s, m.Data, req.Header.Flags&netlink.Dump == netlink.Dump)
	for i, b := range bodies {
		m.Data = b
		bodies[i] = marshal(m)
	}
	return bodies, err
}

var commands = map[uint8]func(k *Kernel, s *socket, b []byte, dump bool) ([][]byte, error){
	uapi.CmdGetInfo:      (*Kernel).getInfo,
	uapi.CmdSetConfig:    (*Kernel).setConfig,
	uapi.CmdSetKeys:      (*Kernel).setKeys,
	uapi.CmdPolicyBegin:  (*Kernel).policyBegin,
	uapi.CmdPolicyAdd:    (*Kernel).policyAdd,
	uapi.CmdPolicyCommit: (*Kernel).policyCommit,
	uapi.CmdGetPolicy:    (*Kernel).getPolicy,
	uapi.CmdGetRule:      (*Kernel).getRule,
	uapi.CmdGetSession:   (*Kernel).getSession,
	uapi.CmdDelSession:   (*Kernel).delSession,
	uapi.CmdGetStats:     (*Kernel).getStats,
	uapi.CmdNewSession:   (*Kernel).newSession,
	uapi.CmdSetSession:   (*Kernel).setSession,
	uapi.CmdGetPeer:      (*Kernel).getPeer,
	uapi.CmdSetNF:        (*Kernel).setNF,

	uapi.CmdLockSession:    (*Kernel).lockSession,
	uapi.CmdBeginMigration: (*Kernel).beginMigration,
	uapi.CmdPause:          (*Kernel).pause,
	uapi.CmdMark:           (*Kernel).mark,
	uapi.CmdSwitchPath:     (*Kernel).switchPath,
	uapi.CmdEndMigration:   (*Kernel).endMigration,
	uapi.CmdGetMigration:   (*Kernel).getMigration,
	uapi.CmdSetHops:        (*Kernel).setHops,
}

// control answers "which number has the family of this name?", and without a
// name "which families are there?".
func (k *Kernel) control(m genetlink.Message) ([][]byte, error) {
	var name string
	if m.Header.Command != controlGetFamily {
		return nil, refusal{errno: syscall.EOPNOTSUPP}
	}
	if err := parse(m.Data, attrs{controlFamilyName: text(&name, 15)}); err != nil {
		return nil, err
	}
	if !k.loaded && name == "" {
		return nil, nil
	}
	if !k.loaded || name != uapi.GenlName && name != "" {
		return nil, refusal{errno: syscall.ENOENT}
	}
	ae := netlink.NewAttributeEncoder()
	ae.Uint16(controlFamilyID, k.familyID)
	ae.String(controlFamilyName, uapi.GenlName)
	ae.Uint32(controlVersion, uapi.GenlVersion)
	ae.Nested(controlGroups, func(ae *netlink.AttributeEncoder) error {
		for i, g := range []struct {
			name string
			id   uint32
		}{{uapi.GroupEvents, eventsGroup}, {uapi.GroupSetup, setupGroup}} {
			ae.Nested(uint16(i+1), func(ae *netlink.AttributeEncoder) error {
				ae.String(controlGroupName, g.name)
				ae.Uint32(controlGroupID, g.id)
				return nil
			})
		}
		return nil
	})
	m.Header.Command = controlNewFamily
	m.Data = encode(ae)
	return [][]byte{marshal(m)}, nil
}

func (k *Kernel) getInfo(_ *socket, b []byte, _ bool) ([][]byte, error) {
	if err := parse(b, nil); err != nil {
		return nil, err
	}
	return [][]byte{k.encodeInfo()}, nil
}

func (k *Kernel) setConfig(_ *socket, b []byte, _ bool) ([][]byte, error) {
	c := k.config
	ms := func(dst *time.Duration) func(uint32) {
		return func(v uint32) { *dst = time.Duration(v) * time.Millisecond }
	}
	err := parse(b, attrs{
		uapi.ConfigAttrMaxSessions:  inRange(1, 16777216, func(v uint32) { c.MaxSessions = v }),
		uapi.ConfigAttrSYNTimeout:   inRange(1000, 600000, ms(&c.SYNTimeout)),
		uapi.ConfigAttrIdleTimeout:  inRange(1000, 864000000, ms(&c.IdleTimeout)),
		uapi.ConfigAttrCloseTimeout: inRange(100, 600000, ms(&c.CloseTimeout)),
		uapi.ConfigAttrFreshness: inRange(1, 3600, func(v uint32) {
			c.Freshness = time.Duration(v) * time.Second
		}),
		uapi.ConfigAttrPortMin: inRange(1024, 65535, func(v uint16) { c.PortMin = v }),
		uapi.ConfigAttrPortMax: inRange(1024, 65535, func(v uint16) { c.PortMax = v }),

		uapi.ConfigAttrUDPTimeout:       inRange(1000, 864000000, ms(&c.UDPTimeout)),
		uapi.ConfigAttrUDPStreamTimeout: inRange(1000, 864000000, ms(&c.UDPStreamTimeout)),
		uapi.ConfigAttrSetupTimeout:     inRange(100, 60000, ms(&c.SetupTimeout)),
		uapi.ConfigAttrGateway:          inRange(0, 1, func(v uint8) { c.Gateway = new(v != 0) }),
	})
	if err != nil {
		return nil, err
	}
	if int(c.PortMax) < int(c.PortMin)+63 {
		return nil, refusal{syscall.ERANGE, "fewer than 64 ports"}
	}
	k.config = c
	return nil, nil
}

func (k *Kernel) setKeys(_ *socket, b []byte, _ bool) ([][]byte, error) {
	var keys []genl.Key
	err := parse(b, attrs{uapi.KeysAttrKey: nested(func() (attrs, func() error) {
		var (
			key        genl.Key
			id, secret bool
		)
		return attrs{
				uapi.KeyAttrID:     seen(&id, number(&key.ID)),
				uapi.KeyAttrSecret: seen(&secret, exactly(key.Secret[:])),
			}, func() error {
				if !id || !secret {
					return refusal{syscall.EINVAL, "key without id or secret"}
				}
				if slices.ContainsFunc(keys, func(other genl.Key) bool { return other.ID == key.ID }) {
					return refusal{syscall.EEXIST, "two keys have one id"}
				}
				if len(keys) == genl.MaxKeys {
					return refusal{syscall.E2BIG, "too many keys"}
				}
				keys = append(keys, key)
				return nil
			}
	})})
	if err != nil {
		return nil, err
	}
	k.keys = keys
	return nil, nil
}

func (k *Kernel) getSession(_ *socket, b []byte, dump bool) ([][]byte, error) {
	if !dump {
		i, err := k.sessionOf(b)
		if err != nil {
			return nil, err
		}
		return [][]byte{encodeSession(&k.sessions[i], genl.ReasonNone)}, nil
	}
	if len(b) > 0 {
		return nil, refusal{syscall.EINVAL, "a dump of sessions takes nothing"}
	}
	var bodies [][]byte
	for _, s := range k.sessions {
		bodies = append(bodies, encodeSession(&s, genl.ReasonNone))
	}
	return bodies, nil
}

func (k *Kernel) delSession(_ *socket, b []byte, _ bool) ([][]byte, error) {
	i, err := k.sessionOf(b)
	if err != nil {
		return nil, err
	}
	k.end(k.sessions[i].ID, genl.ReasonEndDeleted)
	return nil, nil
}

// sessionOf returns the index of the session that a request names.
func (k *Kernel) sessionOf(b []byte) (int, error) {
	var id chain.SessionID
	var given bool
	if err := parse(b, attrs{uapi.SessionAttrID: seen(&given, exactly(id[:]))}); err != nil {
		return 0, err
	}
	if !given {
		return 0, refusal{syscall.EINVAL, "no session id"}
	}
	i := k.find(id)
	if i < 0 {
		return 0, refusal{syscall.ENOENT, "no such session"}
	}
	return i, nil
}

func (k *Kernel) getStats(_ *socket, b []byte, _ bool) ([][]byte, error) {
	if err := parse(b, nil); err != nil {
		return nil, err
	}
	return [][]byte{k.encodeStats()}, nil
}
