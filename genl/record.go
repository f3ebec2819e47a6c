// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"mbchain/chain"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

// MigrationRole is the part that a host plays in a migration.
type MigrationRole uint8

// The parts (enum mbc_part).
const (
	LeftAnchor  MigrationRole = uapi.PartLeft    // the path changes on its right
	RightAnchor MigrationRole = uapi.PartRight   // the path changes on its left
	OldHost     MigrationRole = uapi.PartLeaving // between them on the old path
	NewHost     MigrationRole = uapi.PartJoining // between them on the new path
)

// String returns "left_anchor", "right_anchor", "old_host" or "new_host".
func (r MigrationRole) String() string {
	names := [...]string{"left_anchor", "right_anchor", "old_host", "new_host"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("migration_role_%d", uint8(r))
}

// LockRequest asks for the record of a migration.
type LockRequest struct {
	Session chain.SessionID
	ID      uint64        // random; names the migration in later requests
	Role    MigrationRole // not NewHost, whose record NewSession makes
	Plan    []byte        // 1 to MaxPlan bytes, for Migrations to give back
	Wait    time.Duration // of a marker, for what should have gone before it: 1 ms to 60 s, rounded up to ms; 0: 250 ms
}

// LockSession makes the record of a migration that this host takes part in. It
// goes with [Client.EndMigration] or with the session. The same request again is
// done already. [ErrNotFound] when there is no such session; [ErrBusy] when it is
// in another migration, not established, or leaving this host.
func (c *Client) LockSession(ctx context.Context, r LockRequest) error {
	ms, err := inMilliseconds(r.Wait)
	if err != nil {
		return fmt.Errorf("lock session: %w", err)
	}
	ae := migrationOf(r.Session, r.ID)
	ae.Uint8(uapi.SessionAttrPart, uint8(r.Role))
	encodePlan(ae, r.Plan)
	if ms != 0 {
		ae.Uint32(uapi.SessionAttrTime, ms)
	}
	request, err := ae.Encode()
	if err != nil {
		return fmt.Errorf("lock session: %w", err)
	}
	return c.order(ctx, "lock session", uapi.CmdLockSession, request)
}

func encodePlan(ae *netlink.AttributeEncoder, plan []byte) {
	ae.Do(uapi.SessionAttrPlan, func() ([]byte, error) {
		if len(plan) > MaxPlan {
			return nil, fmt.Errorf("plan of %d bytes: %w", len(plan), ErrTooBig)
		}
		return plan, nil
	})
}

// SetHops replaces what [Client.Session] says of the hosts right of this one,
// where others have changed: packets of the session go as they did. [ErrNotFound]
// when there is no such session, [ErrBusy] while it is being set up, [ErrInvalid]
// where there are no such hosts, or hops is empty although there are.
func (c *Client) SetHops(ctx context.Context, session chain.SessionID, hops []netip.Addr) error {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(uapi.SessionAttrID, session[:])
	if len(hops) > 0 {
		encodeHops(ae, chain.FamilyOf(hops[0]), hops)
	}
	request, err := ae.Encode()
	if err != nil {
		return fmt.Errorf("set hops: %w", err)
	}
	return c.order(ctx, "set hops", uapi.CmdSetHops, request)
}

// MigrationRecord is what the module knows of a migration that this host takes
// part in.
type MigrationRecord struct {
	Session   chain.SessionID
	ID        uint64
	Role      MigrationRole
	Plan      []byte
	Installed bool // the new path is there: an anchor has begun; a NewHost always
	// Left and Right are subsessions of the new path which the old one does not
	// have; the zero FiveTuple where there is none.
	Left, Right chain.FiveTuple
	InUse       Path // which one what goes out takes
	Paused      bool // what would go out waits
	// As in [MigrationEvent].
	Passed      Ways
	AckReached  bool
	Overflow    bool
	NewPathUsed bool
}

// Migrations returns the records of all migrations that this host takes part in,
// in no order. [ErrInterrupted] as with [Client.Sessions].
func (c *Client) Migrations(ctx context.Context) ([]MigrationRecord, error) {
	bodies, err := c.dump(ctx, "list migrations", uapi.CmdGetMigration)
	if err != nil {
		return nil, err
	}
	records := make([]MigrationRecord, 0, len(bodies))
	for _, b := range bodies {
		r, err := decodeRecord(b)
		if err != nil {
			return nil, err
		}
		records = append(records, *r)
	}
	return records, nil
}

func decodeRecord(b []byte) (*MigrationRecord, error) {
	var r MigrationRecord
	err := eachAttr(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case uapi.SessionAttrID:
			ad.Do(exactly(r.Session[:]))
		case uapi.SessionAttrMigration:
			r.ID = ad.Uint64()
		case uapi.SessionAttrPart:
			r.Role = MigrationRole(ad.Uint8())
		case uapi.SessionAttrPlan:
			r.Plan = slices.Clone(ad.Bytes())
		case uapi.SessionAttrPath:
			r.InUse = Path(ad.Uint8())
		case uapi.SessionAttrInstalled:
			r.Installed = ad.Flag()
		case uapi.SessionAttrPaused:
			r.Paused = ad.Flag()
		case uapi.SessionAttrLeft:
			ad.Nested(wireInto(&r.Left))
		case uapi.SessionAttrRight:
			ad.Nested(wireInto(&r.Right))
		case uapi.SessionAttrPassed:
			r.Passed = Ways(ad.Uint8())
		case uapi.SessionAttrAckReached:
			r.AckReached = ad.Flag()
		case uapi.SessionAttrOverflow:
			r.Overflow = ad.Flag()
		case uapi.SessionAttrNewPathUsed:
			r.NewPathUsed = ad.Flag()
		}
	})
	if err == nil && (r.Session.IsZero() || r.Role > NewHost || r.InUse > PathNew || r.Passed > BothWays) {
		err = fmt.Errorf("session %v, role %d, path %d, ways %d", r.Session, r.Role, r.InUse, r.Passed)
	}
	if err != nil {
		return nil, malformed("migration", err)
	}
	return &r, nil
}

// wireInto reads the tuple of a subsession.
func wireInto(t *chain.FiveTuple) func(*netlink.AttributeDecoder) error {
	return eachOf(func(ad *netlink.AttributeDecoder) {
		if ad.Type() == uapi.SideAttrTuple {
			ad.Nested(tupleInto(t))
		}
	})
}

func decodeMigrationEvent(b []byte) (Event, error) {
	var e MigrationEvent
	err := eachAttr(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case uapi.SessionAttrID:
			ad.Do(exactly(e.Session[:]))
		case uapi.SessionAttrMigration:
			e.Migration = ad.Uint64()
		case uapi.SessionAttrPassed:
			e.Passed = Ways(ad.Uint8())
		case uapi.SessionAttrAckReached:
			e.AckReached = ad.Flag()
		case uapi.SessionAttrOverflow:
			e.Overflow = ad.Flag()
		case uapi.SessionAttrNewPathUsed:
			e.NewPathUsed = ad.Flag()
		}
	})
	if err == nil && (e.Session.IsZero() || e.Passed > BothWays) {
		err = fmt.Errorf("session %v, ways %d", e.Session, e.Passed)
	}
	if err != nil {
		return nil, malformed("migration event", err)
	}
	return e, nil
}
