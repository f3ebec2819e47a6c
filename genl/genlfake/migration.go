// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"net/netip"
	"syscall"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"
)

// lingers is how long a session that leaves this host goes on.
const lingers = time.Second

var (
	errNotHere  = refusal{syscall.ENOENT, "the session is not in this migration"}
	errNoAnchor = refusal{syscall.EINVAL, "the session has no other path here"}
	errLetGo    = refusal{syscall.EALREADY, "the packets have waited, and were let go"}
	errNoSide   = refusal{syscall.EINVAL, "the session has nothing on that side"}
)

type migrationRequest struct {
	genl.MigrationRequest
	path genl.Path
	gone bool
}

// parseMigration reads a request that names a migration, and of what it may hold
// beside that what is in more.
func parseMigration(b []byte, more func(*migrationRequest) attrs) (migrationRequest, error) {
	var (
		r           migrationRequest
		session, id bool
	)
	known := attrs{
		uapi.SessionAttrID:        seen(&session, exactly(r.Session[:])),
		uapi.SessionAttrMigration: seen(&id, number(&r.ID)),
	}
	if more != nil {
		for attr, read := range more(&r) {
			known[attr] = read
		}
	}
	err := parse(b, known)
	if err == nil && (!session || !id) {
		err = refusal{syscall.EINVAL, "no session id or migration id"}
	}
	return r, err
}

func changes(r *migrationRequest) attrs {
	return attrs{
		uapi.SessionAttrLeft: nested(func() (attrs, func() error) {
			return attrs{uapi.SideAttrTuple: fiveTuple(&r.Left)}, func() error { return nil }
		}),
		uapi.SessionAttrHops:  hosts(&r.Hops, 4),
		uapi.SessionAttrHops6: hosts(&r.Hops, 16),
	}
}

func (k *Kernel) beginMigration(_ *socket, b []byte, _ bool) ([][]byte, error) {
	r, err := parseMigration(b, changes)
	if err != nil {
		return nil, err
	}
	m, err := k.recordOf(r)
	if err == nil && m.role > genl.RightAnchor {
		err = errNotHere
	}
	if err != nil {
		return nil, err
	}
	old := m.session[genl.PathOld]
	onRight, onLeft := len(r.Hops) > 0, r.Left != chain.FiveTuple{}
	switch {
	case onRight != (m.role == genl.LeftAnchor) || onLeft != (m.role == genl.RightAnchor):
		return nil, refusal{syscall.EINVAL, "the path changes on the other side"}
	case onRight && chain.FamilyOf(r.Hops[0]) != old.Super.Family(), onLeft && r.Left.Family() != old.Super.Family():
		return nil, refusal{syscall.EINVAL, "of another family"}
	case m.installed:
		return [][]byte{encodeSession(&m.session[genl.PathNew], genl.ReasonNone)}, nil
	case !movable(&k.sessions[k.find(r.Session)]):
		return nil, k.notMovable()
	case k.taken(r.Left):
		k.counters[genl.ReasonTupleTaken]++
		return nil, refusal{syscall.EEXIST, genl.ReasonTupleTaken.String()}
	}
	next := old
	if onRight {
		next.Hops = r.Hops
		next.Right = &genl.Subsession{Tuple: k.openRight(here(old), r.Hops[0], old.Super.Protocol)}
	} else {
		next.Left = &genl.Subsession{Tuple: r.Left}
	}
	m.session[genl.PathNew], m.installed = next, true
	return [][]byte{encodeSession(&next, genl.ReasonNone)}, nil
}

// here is an address of the host that has the session.
func here(s genl.Session) netip.Addr {
	if s.Left != nil {
		return s.Left.Tuple.Destination.Addr()
	}
	return s.Right.Tuple.Source.Addr()
}

// pause has nothing to let wait: there are no packets here. It may last too long
// all the same.
func (k *Kernel) pause(_ *socket, b []byte, _ bool) ([][]byte, error) {
	var (
		drop, checkpoint bool
		patience         = uint32(uapi.PauseTime)
		bound            = func(uint32) {}
	)
	r, err := parseMigration(b, func(*migrationRequest) attrs {
		return attrs{
			uapi.SessionAttrTime:       inRange(1, 60000, func(v uint32) { patience = v }),
			uapi.SessionAttrPackets:    inRange(1, 65536, bound),
			uapi.SessionAttrBytes:      inRange(1, 256<<20, bound),
			uapi.SessionAttrDrop:       flag(&drop),
			uapi.SessionAttrCheckpoint: flag(&checkpoint),
		}
	})
	if err != nil {
		return nil, err
	}
	m, err := k.anchorOf(r)
	switch {
	case err != nil:
		return nil, err
	case checkpoint && m.session[genl.PathOld].Super.Protocol != chain.ProtocolTCP:
		return nil, refusal{syscall.EINVAL, "only TCP has checkpoints"}
	case m.inUse == genl.PathNew:
		return nil, refusal{syscall.EALREADY, "the session has left the old path"}
	case m.facts.Overflow:
		return nil, errLetGo
	case m.pause != nil:
		return nil, nil
	}
	if checkpoint { // nothing has been sent that could be without an answer
		k.tell(m, genl.MigrationEvent{AckReached: true})
	}
	m.pause = time.AfterFunc(time.Duration(patience)*time.Millisecond, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.moving[r.Session] == m && m.pause != nil {
			m.resume()
			k.counters[genl.ReasonPauseOver]++
			k.tell(m, genl.MigrationEvent{Overflow: true})
		}
	})
	return nil, nil
}

func (m *migration) resume() {
	if m.pause != nil {
		m.pause.Stop()
		m.pause = nil
	}
}

// mark sends nothing, and is counted for [Kernel.Marks].
func (k *Kernel) mark(_ *socket, b []byte, _ bool) ([][]byte, error) {
	r, err := parseMigration(b, nil)
	if err != nil {
		return nil, err
	}
	m, err := k.anchorOf(r)
	if err != nil {
		return nil, err
	}
	m.marks++
	return nil, nil
}

func (k *Kernel) switchPath(_ *socket, b []byte, _ bool) ([][]byte, error) {
	var given bool
	r, err := parseMigration(b, func(r *migrationRequest) attrs {
		take := func(p uint8) { r.path = genl.Path(p) }
		return attrs{uapi.SessionAttrPath: seen(&given, inRange(uint8(genl.PathOld), uint8(genl.PathNew), take))}
	})
	if err == nil && !given {
		err = refusal{syscall.EINVAL, "no path"}
	}
	if err != nil {
		return nil, err
	}
	m, err := k.anchorOf(r)
	if err == nil && r.path == genl.PathNew && !m.installed {
		err = errNoAnchor
	}
	if err == nil && r.path == genl.PathNew && m.role == genl.LeftAnchor && m.facts.Overflow {
		err = errLetGo
	}
	if err != nil {
		return nil, err
	}
	m.resume()
	m.inUse = r.path
	k.sessions[k.find(r.Session)] = m.session[r.path]
	return nil, nil
}

func (k *Kernel) endMigration(_ *socket, b []byte, _ bool) ([][]byte, error) {
	r, err := parseMigration(b, func(r *migrationRequest) attrs {
		return attrs{uapi.SessionAttrGone: flag(&r.gone)}
	})
	if err != nil {
		return nil, err
	}
	m, err := k.recordOf(r)
	if err == nil && r.gone && m.role <= genl.RightAnchor {
		err = refusal{syscall.EINVAL, "an anchor stays"}
	}
	if err != nil {
		return nil, err
	}
	m.resume()
	if !r.gone {
		delete(k.moving, r.Session)
		return nil, nil
	}
	m.gone = true
	k.sessions[k.find(r.Session)].Leaving = true
	time.AfterFunc(lingers, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.moving[r.Session] == m {
			k.end(r.Session, genl.ReasonEndMoved)
		}
	})
	return nil, nil
}

// recordOf returns the record of the migration that a request names.
func (k *Kernel) recordOf(r migrationRequest) (*migration, error) {
	m := k.moving[r.Session]
	if m == nil || m.id != r.ID || m.gone {
		return nil, errNotHere
	}
	return m, nil
}

func (k *Kernel) anchorOf(r migrationRequest) (*migration, error) {
	m, err := k.recordOf(r)
	if err == nil && m.role > genl.RightAnchor {
		err = errNoAnchor
	}
	return m, err
}
