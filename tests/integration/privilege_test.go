// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"mbchain/genl"
)

// Without CAP_NET_ADMIN nothing is told and nothing done. A thread gives its
// capabilities up for good, so the one that in makes is thrown away.
func TestNetlinkNeedsPrivilege(t *testing.T) {
	r := newRig(t, 0)
	h := r.client()
	rows := []struct {
		name  string
		cmd   uint8
		flags netlink.HeaderFlags
		attrs []byte
	}{
		{"get info", cmdGetInfo, 0, nil},
		{"set config", cmdSetConfig, 0, u32(1, 100)},
		{"set keys", cmdSetKeys, 0, goodKey},
		{"begin policy", cmdPolicyBegin, 0, attrs(goodVersion, goodSeed)},
		{"add to policy", cmdPolicyAdd, 0, goodType},
		{"commit policy", cmdPolicyCommit, 0, goodVersion},
		{"get policy", cmdGetPolicy, 0, nil},
		{"list rules", cmdGetRule, netlink.Dump, nil},
		{"get session", cmdGetSession, 0, goodSession},
		{"list sessions", cmdGetSession, netlink.Dump, nil},
		{"delete session", cmdDelSession, 0, goodSession},
		{"get stats", cmdGetStats, 0, nil},
	}
	before := h.info(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			err := h.in(func() error {
				if err := dropCapabilities(); err != nil {
					t.Error(err)
					return nil
				}
				s, err := openSocket()
				if err != nil {
					t.Error(err)
					return nil
				}
				defer func() { _ = s.conn.Close() }()
				return s.command(row.cmd, row.flags, row.attrs)
			})
			if !errors.Is(err, unix.EPERM) {
				t.Errorf("got %v, want EPERM", err)
			}
		})
	}
	t.Run("genl says so", func(t *testing.T) {
		err := h.in(func() error {
			if err := dropCapabilities(); err != nil {
				return err
			}
			c, err := genl.New()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			_, err = c.Info(t.Context())
			return err
		})
		if !errors.Is(err, genl.ErrPermission) {
			t.Errorf("got %v, want %v", err, genl.ErrPermission)
		}
	})
	t.Run("events", func(t *testing.T) {
		err := h.in(func() error {
			if err := dropCapabilities(); err != nil {
				return err
			}
			c, err := genl.New()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			events, err := c.Subscribe()
			if err == nil {
				_ = events.Close()
			}
			return err
		})
		if !errors.Is(err, genl.ErrPermission) {
			t.Errorf("got %v, want %v", err, genl.ErrPermission)
		}
	})
	if diff := cmp.Diff(before, h.info(t)); diff != "" {
		t.Errorf("it changed the module (-before +after):\n%s", diff)
	}
}

func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}
