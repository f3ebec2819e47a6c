// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"fmt"
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
	ID      uint64          // random; names the migration in later requests
	Hops    []netip.Addr    // hosts that will be right of this one, the server last
	Left    chain.FiveTuple // the new subsession, as the new left neighbour sends it
}

// BeginMigration lets packets of a session come by another path too; what goes
// out goes on as it did. It returns the session as it will be: with Hops, Right
// is the subsession to ask the new right neighbour for. The same request again
// returns the same.
// [ErrNotFound] when there is no such session, [ErrBusy] when it is not
// established or is in another migration, and as [Client.NewSession].
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

// PauseMax is how long packets of a session wait after [Client.Pause].
const PauseMax = uapi.PauseMax * time.Millisecond

// Pause lets wait what would go out by the path that changes, and sends a marker
// behind what has gone out (paper section 5.2). What waits goes on, in its order,
// with [Client.SwitchPath], with [Client.EndMigration], or after [PauseMax]: by the
// old path then. The same again sends another marker. [ErrNotFound] when the
// session is not in this migration, [ErrAlready] when it has left the old path.
func (c *Client) Pause(ctx context.Context, session chain.SessionID, migration uint64) error {
	request, err := migrationOf(session, migration).Encode()
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return c.order(ctx, "pause", uapi.CmdPause, request)
}

// SwitchPath sends what goes out by one of the two paths from now on.
// [ErrNotFound] when the session is not in this migration.
func (c *Client) SwitchPath(ctx context.Context, session chain.SessionID, migration uint64, path Path) error {
	ae := migrationOf(session, migration)
	ae.Uint8(uapi.SessionAttrPath, uint8(path))
	request, err := ae.Encode()
	if err != nil {
		return fmt.Errorf("switch path: %w", err)
	}
	return c.order(ctx, "switch path", uapi.CmdSwitchPath, request)
}

// EndMigration gives up the path that is not in use: the old one, or after
// [PathOld] or no [Client.SwitchPath] the new one. [ErrNotFound] when the session
// is not in this migration.
func (c *Client) EndMigration(ctx context.Context, session chain.SessionID, migration uint64) error {
	request, err := migrationOf(session, migration).Encode()
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

func decodeMarker(b []byte) (Event, error) {
	var m MarkerCame
	err := eachAttr(b, func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case uapi.SessionAttrID:
			ad.Do(exactly(m.Session[:]))
		case uapi.SessionAttrMigration:
			m.Migration = ad.Uint64()
		case uapi.SessionAttrPassed:
			m.Passed = Ways(ad.Uint8())
		}
	})
	if err != nil {
		return nil, fmt.Errorf("marker: %w", err)
	}
	if m.Session.IsZero() || m.Passed == 0 || m.Passed > BothWays {
		return nil, fmt.Errorf("marker of session %v, ways %d: %w", m.Session, m.Passed, ErrMalformed)
	}
	return m, nil
}
