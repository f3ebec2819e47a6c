// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"bytes"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

// migration is the record of one, with its session by [genl.Path].
type migration struct {
	id        uint64
	role      genl.MigrationRole
	plan      []byte
	session   [2]genl.Session
	installed bool
	inUse     genl.Path
	pause     *time.Timer // nil: nothing waits
	marks     int
	facts     genl.MigrationEvent
	gone      bool // there is no record any more, but the session for a while
}

func movable(s *genl.Session) bool {
	return s.State == chain.StateEstablished && (s.Setup == chain.SetupInBand || s.Setup == chain.SetupDone)
}

func (k *Kernel) notMovable() error {
	k.counters[genl.ReasonNotMovable]++
	return refusal{syscall.EBUSY, genl.ReasonNotMovable.String()}
}

func (k *Kernel) lockSession(_ *socket, b []byte, _ bool) ([][]byte, error) {
	var (
		m     = new(migration)
		given bool
	)
	r, err := parseMigration(b, func(*migrationRequest) attrs {
		take := func(v uint8) { m.role = genl.MigrationRole(v) }
		return attrs{
			uapi.SessionAttrPart: seen(&given, inRange(uint8(genl.LeftAnchor), uint8(genl.OldHost), take)),
			uapi.SessionAttrPlan: plan(&m.plan),
			uapi.SessionAttrTime: inRange(1, 60000, func(uint32) {}),
		}
	})
	if err == nil && (!given || m.plan == nil) {
		err = refusal{syscall.EINVAL, "no part or no plan"}
	}
	if err != nil {
		return nil, err
	}
	i := k.find(r.Session)
	if i < 0 {
		return nil, refusal{syscall.ENOENT, "no such session"}
	}
	s := k.sessions[i]
	old := k.moving[r.Session]
	switch {
	case m.role != genl.RightAnchor && s.Right == nil || m.role != genl.LeftAnchor && s.Left == nil:
		return nil, errNoSide
	case old != nil && old.id == r.ID && old.role == m.role && !old.gone:
		return nil, nil
	case old != nil || !movable(&s):
		return nil, k.notMovable()
	}
	m.id, m.session[genl.PathOld] = r.ID, s
	m.facts = genl.MigrationEvent{Session: r.Session, Migration: r.ID}
	k.moving[r.Session] = m
	return nil, nil
}

// joins says whether a session that is there is the one that r asks for.
func (k *Kernel) joins(r genl.SessionRequest) bool {
	m := k.moving[r.ID]
	return r.Migration == 0 || m != nil && m.id == r.Migration && m.role == genl.NewHost
}

// join makes the record of a new host.
func (k *Kernel) join(r genl.SessionRequest, s genl.Session) {
	k.moving[r.ID] = &migration{
		id: r.Migration, role: genl.NewHost, plan: r.Plan,
		session: [2]genl.Session{genl.PathNew: s}, installed: true, inUse: genl.PathNew,
		facts: genl.MigrationEvent{Session: r.ID, Migration: r.Migration},
	}
}

// Happen makes come true, at the session's migration, what is set in e, and tells
// listeners if it has not been so before. It panics when there is no such record.
func (k *Kernel) Happen(e genl.MigrationEvent) {
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.moving[e.Session]
	if m == nil || m.id != e.Migration || m.gone {
		panic("genlfake: no such migration")
	}
	if e.Overflow {
		m.resume()
	}
	k.tell(m, e)
}

func (k *Kernel) tell(m *migration, e genl.MigrationEvent) {
	before := m.facts
	m.facts.Passed |= e.Passed
	m.facts.AckReached = m.facts.AckReached || e.AckReached
	m.facts.Overflow = m.facts.Overflow || e.Overflow
	m.facts.NewPathUsed = m.facts.NewPathUsed || e.NewPathUsed
	if m.facts != before {
		ae := netlink.NewAttributeEncoder()
		encodeFacts(ae, m.facts)
		k.multicast(uapi.CmdEventMigration, encode(ae))
	}
}

// Marks returns how many markers the session's migration was told to send.
func (k *Kernel) Marks(id chain.SessionID) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if m := k.moving[id]; m != nil {
		return m.marks
	}
	return 0
}

func encodeFacts(ae *netlink.AttributeEncoder, e genl.MigrationEvent) {
	ae.Bytes(uapi.SessionAttrID, e.Session[:])
	ae.Uint64(uapi.SessionAttrMigration, e.Migration)
	ae.Uint8(uapi.SessionAttrPassed, uint8(e.Passed))
	ae.Flag(uapi.SessionAttrAckReached, e.AckReached)
	ae.Flag(uapi.SessionAttrOverflow, e.Overflow)
	ae.Flag(uapi.SessionAttrNewPathUsed, e.NewPathUsed)
}

func (k *Kernel) getMigration(_ *socket, b []byte, dump bool) ([][]byte, error) {
	if !dump {
		return nil, refusal{errno: syscall.EOPNOTSUPP}
	}
	if len(b) > 0 {
		return nil, refusal{syscall.EINVAL, "a dump of migrations takes nothing"}
	}
	var ids []chain.SessionID
	for id, m := range k.moving {
		if !m.gone {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b chain.SessionID) int { return bytes.Compare(a[:], b[:]) })
	var bodies [][]byte
	for _, id := range ids {
		bodies = append(bodies, encodeRecord(k.moving[id]))
	}
	return bodies, nil
}

func encodeRecord(m *migration) []byte {
	ae := netlink.NewAttributeEncoder()
	encodeFacts(ae, m.facts)
	ae.Uint8(uapi.SessionAttrPart, uint8(m.role))
	ae.Bytes(uapi.SessionAttrPlan, m.plan)
	ae.Uint8(uapi.SessionAttrPath, uint8(m.inUse))
	ae.Flag(uapi.SessionAttrInstalled, m.installed)
	ae.Flag(uapi.SessionAttrPaused, m.pause != nil)
	next := m.session[genl.PathNew]
	if m.installed && m.role != genl.LeftAnchor {
		encodeWire(ae, uapi.SessionAttrLeft, next.Left)
	}
	if m.installed && m.role != genl.RightAnchor {
		encodeWire(ae, uapi.SessionAttrRight, next.Right)
	}
	return encode(ae)
}

func encodeWire(ae *netlink.AttributeEncoder, attr uint16, s *genl.Subsession) {
	if s == nil {
		return
	}
	ae.Nested(attr, func(ae *netlink.AttributeEncoder) error {
		encodeTuple(ae, uapi.SideAttrTuple, s.Tuple)
		return nil
	})
}

func (k *Kernel) setHops(_ *socket, b []byte, _ bool) ([][]byte, error) {
	var (
		id    chain.SessionID
		given bool
		hops  []netip.Addr
	)
	err := parse(b, attrs{
		uapi.SessionAttrID:    seen(&given, exactly(id[:])),
		uapi.SessionAttrHops:  hosts(&hops, 4),
		uapi.SessionAttrHops6: hosts(&hops, 16),
	})
	if err == nil && !given {
		err = refusal{syscall.EINVAL, "no session id"}
	}
	if err != nil {
		return nil, err
	}
	i := k.find(id)
	if i < 0 {
		return nil, refusal{syscall.ENOENT, "no such session"}
	}
	s := &k.sessions[i]
	switch {
	case len(hops) > 0 && chain.FamilyOf(hops[0]) != s.Super.Family():
		return nil, refusal{syscall.EINVAL, "hops of another family"}
	case s.State == chain.StateNone || s.State == chain.StateSYN || s.Setup != chain.SetupInBand && s.Setup != chain.SetupDone:
		return nil, refusal{syscall.EBUSY, "the session is being set up"}
	case (len(hops) > 0) != (len(s.Hops) > 0):
		return nil, refusal{syscall.EINVAL, "there are no hosts right of this one, or must be some"}
	}
	s.Hops = hops
	return nil, nil
}
