// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"net/netip"
	"syscall"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"
)

// migration is a session by [genl.Path].
type migration struct {
	id      uint64
	session [2]genl.Session
	inUse   genl.Path
	leaving bool
}

var errLeaving = refusal{syscall.EINVAL, "the session has no other path here"}

type migrationRequest struct {
	genl.MigrationRequest
	path genl.Path
}

func parseMigration(b []byte, path bool) (migrationRequest, error) {
	var (
		r                  migrationRequest
		session, id, given bool
	)
	take := func(p uint8) { r.path = genl.Path(p) }
	err := parse(b, attrs{
		uapi.SessionAttrID:        seen(&session, exactly(r.Session[:])),
		uapi.SessionAttrMigration: seen(&id, number(&r.ID)),
		uapi.SessionAttrLeft: nested(func() (attrs, func() error) {
			return attrs{uapi.SideAttrTuple: fiveTuple(&r.Left)}, func() error { return nil }
		}),
		uapi.SessionAttrHops:  hosts(&r.Hops, 4),
		uapi.SessionAttrHops6: hosts(&r.Hops, 16),
		uapi.SessionAttrPath:  seen(&given, inRange(uint8(genl.PathOld), uint8(genl.PathNew), take)),
	})
	switch {
	case err != nil:
	case !session || !id:
		err = refusal{syscall.EINVAL, "no session id or migration id"}
	case path && !given:
		err = refusal{syscall.EINVAL, "no path"}
	}
	return r, err
}

func (k *Kernel) beginMigration(_ *socket, b []byte, _ bool) ([][]byte, error) {
	r, err := parseMigration(b, false)
	if err != nil {
		return nil, err
	}
	i := k.find(r.Session)
	if i < 0 {
		return nil, refusal{syscall.ENOENT, "no such session"}
	}
	old := k.sessions[i]
	onRight, onLeft := len(r.Hops) > 0, r.Left != chain.FiveTuple{}
	switch {
	case onRight && onLeft:
		return nil, refusal{syscall.EINVAL, "hops and a left subsession"}
	case onRight && chain.FamilyOf(r.Hops[0]) != old.Super.Family(), onLeft && r.Left.Family() != old.Super.Family():
		return nil, refusal{syscall.EINVAL, "of another family"}
	case !onLeft && old.Right == nil || !onRight && old.Left == nil:
		return nil, refusal{syscall.EINVAL, "the session has nothing on that side"}
	}
	if m := k.moving[r.Session]; m != nil && m.id == r.ID {
		return [][]byte{encodeSession(&m.session[genl.PathNew], genl.ReasonNone)}, nil
	} else if m != nil || old.State != chain.StateEstablished || old.Setup != chain.SetupInBand && old.Setup != chain.SetupDone {
		k.counters[genl.ReasonNotMovable]++
		return nil, refusal{syscall.EBUSY, genl.ReasonNotMovable.String()}
	}
	next := old
	if k.taken(r.Left) {
		k.counters[genl.ReasonTupleTaken]++
		return nil, refusal{syscall.EEXIST, genl.ReasonTupleTaken.String()}
	}
	if onRight {
		next.Hops = r.Hops
		next.Right = &genl.Subsession{Tuple: k.openRight(here(old), r.Hops[0], old.Super.Protocol)}
	} else if onLeft {
		next.Left = &genl.Subsession{Tuple: r.Left}
	}
	k.moving[r.Session] = &migration{id: r.ID, session: [2]genl.Session{old, next}, leaving: !onRight && !onLeft}
	return [][]byte{encodeSession(&next, genl.ReasonNone)}, nil
}

// here is an address of the host that has the session.
func here(s genl.Session) netip.Addr {
	if s.Left != nil {
		return s.Left.Tuple.Destination.Addr()
	}
	return s.Right.Tuple.Source.Addr()
}

// pause has nothing to let wait: there are no packets here.
func (k *Kernel) pause(_ *socket, b []byte, _ bool) ([][]byte, error) {
	_, m, err := k.migrationOf(b, false)
	switch {
	case err != nil:
		return nil, err
	case m.leaving:
		return nil, errLeaving
	case m.inUse == genl.PathNew:
		return nil, refusal{syscall.EALREADY, "the session has left the old path"}
	}
	return nil, nil
}

func (k *Kernel) switchPath(_ *socket, b []byte, _ bool) ([][]byte, error) {
	r, m, err := k.migrationOf(b, true)
	if err != nil {
		return nil, err
	}
	if m.leaving {
		return nil, errLeaving
	}
	m.inUse = r.path
	k.sessions[k.find(r.Session)] = m.session[r.path]
	return nil, nil
}

func (k *Kernel) endMigration(_ *socket, b []byte, _ bool) ([][]byte, error) {
	r, _, err := k.migrationOf(b, false)
	if err != nil {
		return nil, err
	}
	delete(k.moving, r.Session)
	return nil, nil
}

func (k *Kernel) migrationOf(b []byte, path bool) (migrationRequest, *migration, error) {
	r, err := parseMigration(b, path)
	if err != nil {
		return r, nil, err
	}
	m := k.moving[r.Session]
	if m == nil || m.id != r.ID {
		return r, nil, refusal{syscall.ENOENT, "the session is not in this migration"}
	}
	return r, m, nil
}
