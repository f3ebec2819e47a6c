// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"time"

	"mbchain/chain"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

// Path is one of the two that a session has while its chain is changed (paper
// section 4.2.1).
type Path uint8

// The paths (enum mbc_path).
const (
	PathOld Path = uapi.PathOld
	PathNew Path = uapi.PathNew
)

// MigrationRequest is the change of a session's path at one side of this host:
// at the right one if there are Hops, at the left one if there is a Left.
type MigrationRequest struct {
	Session chain.SessionID
	ID      uint64          // of the record that LockSession has made
	Hops    []netip.Addr    // left anchor: hosts that will be right of this one, the server last
	Left    chain.FiveTuple // right anchor: the new subsession, as the new left neighbour sends it
}

// BeginMigration lets packets of a session come by another path too; what goes
// out goes on as it did. It returns the session as it will be: with Hops, Right
// is the subsession to ask the new right neighbour for. The same request again
// returns the same.
// [ErrNotFound] when the session is not locked by this migration at an anchor,
// [ErrBusy] when it has begun to end, and as [Client.NewSession].
func (c *Client) BeginMigration(ctx context.Context, r MigrationRequest) (*Session, error) {
	request, err := encodeMigration(r)
	if err != nil {
		return nil, fmt.Errorf("begin migration: %w", err)
	}
	b, err := c.ask(ctx, "begin migration", uapi.CmdBeginMigration, request)
	if err != nil {
		return nil, err
	}
	s, _, err := decodeSession(b)
	return s, err
}

// PauseRequest says how long what goes out by the path that changes waits, and
// how much of it.
type PauseRequest struct {
	Session chain.SessionID
	ID      uint64
	Time    time.Duration // 1 ms to 60 s, rounded up to ms; 0: 2 s
	Packets uint32        // at most so many wait, 65536 at most; 0: 8192
	Bytes   uint32        // with so many bytes from the IP headers on, 256 MiB at most; 0: 16 MiB
	Drop    bool          // drop what comes when too many wait, instead of letting all go
	// Checkpoint, TCP only: what was sent before goes on by the old path when it is
	// sent again, and so do acknowledgements. MigrationEvent tells when all of it has
	// been acknowledged.
	Checkpoint bool
}

// Pause lets wait what would go out by the path that changes (paper section
// 5.2). It goes on, in its order, with [Client.SwitchPath] or
// [Client.EndMigration]. When too many packets wait, or for too long, the module
// lets all go by the old path: the pause is over, see [MigrationEvent]. Nothing
// happens if they wait already.
// [ErrNotFound] when the session is not in this migration, [ErrAlready] when it
// has left the old path or the module has let its packets go.
func (c *Client) Pause(ctx context.Context, r PauseRequest) error {
	request, err := encodePause(r)
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return c.order(ctx, "pause", uapi.CmdPause, request)
}

// Mark sends a marker over the old path, behind what an anchor has sent by it.
// It may be lost, and be sent again. UDP promises no order, and has none: nothing
// happens. [ErrNotFound] when the session is not in this migration, [ErrNoRoute].
func (c *Client) Mark(ctx context.Context, session chain.SessionID, migration uint64) error {
	request, err := migrationOf(session, migration).Encode()
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	return c.order(ctx, "mark", uapi.CmdMark, request)
}

// SwitchPath sends what goes out by one of the two paths from now on, and first
// what waits. [ErrNotFound] when the session is not in this migration, [ErrAlready]
// when the left anchor is to take the new path and the module has let what waited go
// by the old one.
func (c *Client) SwitchPath(ctx context.Context, session chain.SessionID, migration uint64, path Path) error {
	ae := migrationOf(session, migration)
	ae.Uint8(uapi.SessionAttrPath, uint8(path))
	request, err := ae.Encode()
	if err != nil {
		return fmt.Errorf("switch path: %w", err)
	}
	return c.order(ctx, "switch path", uapi.CmdSwitchPath, request)
}

// EndMigration removes the record of a migration, and with it the path that is
// not in use: the old one, or after [PathOld] or no [Client.SwitchPath] the new
// one. Where it is gone, at an [OldHost] or [NewHost], the session itself leaves
// this host: for a second it passes on what is under way, and ends then.
// [ErrNotFound] when the session is not in this migration.
func (c *Client) EndMigration(ctx context.Context, session chain.SessionID, migration uint64, gone bool) error {
	ae := migrationOf(session, migration)
	ae.Flag(uapi.SessionAttrGone, gone)
	request, err := ae.Encode()
	if err != nil {
		return fmt.Errorf("end migration: %w", err)
	}
	return c.order(ctx, "end migration", uapi.CmdEndMigration, request)
}

func migrationOf(session chain.SessionID, migration uint64) *netlink.AttributeEncoder {
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(uapi.SessionAttrID, session[:])
	ae.Uint64(uapi.SessionAttrMigration, migration)
	return ae
}

func encodeMigration(r MigrationRequest) ([]byte, error) {
	ae := migrationOf(r.Session, r.ID)
	if r.Left != (chain.FiveTuple{}) {
		ae.Nested(uapi.SessionAttrLeft, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(uapi.SideAttrTuple, tupleFrom(r.Left))
			return nil
		})
	}
	if len(r.Hops) > 0 {
		encodeHops(ae, chain.FamilyOf(r.Hops[0]), r.Hops)
	}
	return ae.Encode()
}

// inMilliseconds rounds up.
func inMilliseconds(d time.Duration) (uint32, error) {
	ms := (d + time.Millisecond - 1) / time.Millisecond
	if d < 0 || ms > math.MaxUint32 {
		return 0, fmt.Errorf("time %v: %w", d, ErrRange)
	}
	return uint32(ms), nil
}

func encodePause(r PauseRequest) ([]byte, error) {
	ms, err := inMilliseconds(r.Time)
	if err != nil {
		return nil, err
	}
	ae := migrationOf(r.Session, r.ID)
	for _, bound := range []struct {
		attr  uint16
		value uint32
	}{
		{uapi.SessionAttrTime, ms},
		{uapi.SessionAttrPackets, r.Packets},
		{uapi.SessionAttrBytes, r.Bytes},
	} {
		if bound.value != 0 {
			ae.Uint32(bound.attr, bound.value)
		}
	}
	ae.Flag(uapi.SessionAttrDrop, r.Drop)
	ae.Flag(uapi.SessionAttrCheckpoint, r.Checkpoint)
	return ae.Encode()
}
