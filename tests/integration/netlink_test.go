// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"mbchain/chain"
	"mbchain/genl"
)

// Numbers of kmod/uapi/mbchain.h, as a program that is not genl knows them.
const (
	cmdGetInfo = iota + 1
	cmdSetConfig
	cmdSetKeys
	cmdPolicyBegin
	cmdPolicyAdd
	cmdPolicyCommit
	cmdGetPolicy
	cmdGetRule
	cmdGetSession
	cmdDelSession
	cmdGetStats
)

const (
	attrVersion  = 2 // MBC_POLICY_A_*
	attrSeed     = 3
	attrType     = 4
	attrRule     = 5
	attrProg     = 6
	attrHost     = 7
	attrUnknown  = 99
	attrTypeName = 1 // MBC_TYPE_A_*
	attrInstance = 2
	attrAddress  = 1 // MBC_INSTANCE_A_*
	attrWeight   = 2
	attrRuleID   = 2 // MBC_RULE_A_*
	attrFailure  = 3
	attrTypes    = 4
	attrKey      = 1 // MBC_KEYS_A_*
	attrKeyID    = 1 // MBC_KEY_A_*
	attrSecret   = 2
	attrSession  = 2 // MBC_SESSION_A_ID
)

// socket is a connection to the module, below genl.
type socket struct {
	conn   *genetlink.Conn
	family genetlink.Family
}

func openSocket() (*socket, error) {
	conn, err := genl.Dial()
	if err != nil {
		return nil, err
	}
	family, err := conn.GetFamily("mbchain")
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &socket{conn: conn, family: family}, nil
}

func (s *socket) command(cmd uint8, flags netlink.HeaderFlags, attrs []byte) error {
	_, err := s.conn.Execute(genetlink.Message{
		Header: genetlink.Header{Command: cmd, Version: s.family.Version}, Data: attrs,
	}, s.family.ID, netlink.Request|netlink.Acknowledge|flags)
	return err
}

// attr is one attribute, coded; attrs and nest are several.
func attr(kind uint16, data []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(data)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, data...)
	return append(b, make([]byte, (4-len(b)%4)%4)...)
}

func attrs(list ...[]byte) (b []byte) {
	for _, a := range list {
		b = append(b, a...)
	}
	return b
}

func nest(kind uint16, list ...[]byte) []byte { return attr(kind|unix.NLA_F_NESTED, attrs(list...)) }

func u8(kind uint16, n uint8) []byte   { return attr(kind, []byte{n}) }
func u16(kind uint16, n uint16) []byte { return attr(kind, binary.NativeEndian.AppendUint16(nil, n)) }
func u32(kind uint16, n uint32) []byte { return attr(kind, binary.NativeEndian.AppendUint32(nil, n)) }
func u64(kind uint16, n uint64) []byte { return attr(kind, binary.NativeEndian.AppendUint64(nil, n)) }
func text(kind uint16, s string) []byte {
	return attr(kind, append([]byte(s), 0))
}

func secret(n int) []byte { return attr(attrSecret, make([]byte, n)) }

var (
	goodVersion  = u64(attrVersion, 77)
	goodSeed     = attr(attrSeed, make([]byte, genl.KeyLen))
	goodInstance = nest(attrInstance, attr(attrAddress, []byte{10, 8, 0, 2}), u32(attrWeight, 1))
	goodType     = nest(attrType, text(attrTypeName, "firewall"), goodInstance)
	goodKey      = nest(attrKey, u32(attrKeyID, 1), secret(genl.KeyLen))
	goodSession  = attr(attrSession, make([]byte, chain.SessionIDLen))
)

// Every command that is refused must say why, and must change nothing.
func TestNetlinkRefusals(t *testing.T) {
	r := newRig(t, 1)
	r.load(t, "match(dstport=80) >> {mb1}\n")
	h := r.client()

	rows := []struct {
		name  string
		cmd   uint8
		flags netlink.HeaderFlags
		attrs []byte
		want  unix.Errno
	}{
		{name: "info with an attribute", cmd: cmdGetInfo, attrs: u32(attrUnknown, 1), want: unix.EINVAL},
		{name: "config with an unknown attribute", cmd: cmdSetConfig, attrs: attrs(u32(1, 100), u32(attrUnknown, 1)), want: unix.EINVAL},
		{name: "config with a short attribute", cmd: cmdSetConfig, attrs: u16(1, 100), want: unix.EINVAL},
		{name: "config with a long attribute", cmd: cmdSetConfig, attrs: u64(1, 100), want: unix.EINVAL},
		{name: "config with a nested attribute", cmd: cmdSetConfig, attrs: nest(1, u32(1, 100)), want: unix.EINVAL},
		{name: "config with bytes behind", cmd: cmdSetConfig, attrs: append(u32(1, 100), 0, 0), want: unix.EINVAL},
		{name: "no sessions", cmd: cmdSetConfig, attrs: u32(1, 0), want: unix.ERANGE},
		{name: "too many sessions", cmd: cmdSetConfig, attrs: u32(1, 1<<24+1), want: unix.ERANGE},
		{name: "SYN timeout too short", cmd: cmdSetConfig, attrs: u32(2, 999), want: unix.ERANGE},
		{name: "SYN timeout too long", cmd: cmdSetConfig, attrs: u32(2, 600001), want: unix.ERANGE},
		{name: "idle timeout too short", cmd: cmdSetConfig, attrs: u32(3, 999), want: unix.ERANGE},
		{name: "idle timeout too long", cmd: cmdSetConfig, attrs: u32(3, 864000001), want: unix.ERANGE},
		{name: "close timeout too short", cmd: cmdSetConfig, attrs: u32(4, 99), want: unix.ERANGE},
		{name: "close timeout too long", cmd: cmdSetConfig, attrs: u32(4, 600001), want: unix.ERANGE},
		{name: "no freshness", cmd: cmdSetConfig, attrs: u32(5, 0), want: unix.ERANGE},
		{name: "too much freshness", cmd: cmdSetConfig, attrs: u32(5, 3601), want: unix.ERANGE},
		{name: "privileged port", cmd: cmdSetConfig, attrs: u16(6, 1023), want: unix.ERANGE},
		{name: "63 ports", cmd: cmdSetConfig, attrs: attrs(u16(6, 2000), u16(7, 2062)), want: unix.ERANGE},
		{name: "one good and one bad", cmd: cmdSetConfig, attrs: attrs(u32(1, 100), u32(5, 0)), want: unix.ERANGE},

		{name: "keys with an unknown attribute", cmd: cmdSetKeys, attrs: attrs(goodKey, u32(attrUnknown, 1)), want: unix.EINVAL},
		{name: "key with an unknown attribute", cmd: cmdSetKeys,
			attrs: nest(attrKey, u32(attrKeyID, 1), secret(16), u32(attrUnknown, 1)), want: unix.EINVAL},
		{name: "key without id", cmd: cmdSetKeys, attrs: nest(attrKey, secret(16)), want: unix.EINVAL},
		{name: "key without secret", cmd: cmdSetKeys, attrs: nest(attrKey, u32(attrKeyID, 1)), want: unix.EINVAL},
		{name: "short secret", cmd: cmdSetKeys, attrs: nest(attrKey, u32(attrKeyID, 1), secret(15)), want: unix.ERANGE},
		{name: "long secret", cmd: cmdSetKeys, attrs: nest(attrKey, u32(attrKeyID, 1), secret(17)), want: unix.ERANGE},
		{name: "one key twice", cmd: cmdSetKeys, attrs: attrs(goodKey, goodKey), want: unix.EEXIST},
		{name: "five keys", cmd: cmdSetKeys, attrs: attrs(
			nest(attrKey, u32(attrKeyID, 1), secret(16)), nest(attrKey, u32(attrKeyID, 2), secret(16)),
			nest(attrKey, u32(attrKeyID, 3), secret(16)), nest(attrKey, u32(attrKeyID, 4), secret(16)),
			nest(attrKey, u32(attrKeyID, 5), secret(16))), want: unix.E2BIG},
		{name: "key that is not nested", cmd: cmdSetKeys, attrs: attr(attrKey, attrs(u32(attrKeyID, 1), secret(16))), want: unix.EINVAL},

		{name: "begin with an unknown attribute", cmd: cmdPolicyBegin, attrs: attrs(goodVersion, goodSeed, u32(attrUnknown, 1)), want: unix.EINVAL},
		{name: "begin with a type", cmd: cmdPolicyBegin, attrs: attrs(goodVersion, goodSeed, goodType), want: unix.EINVAL},
		{name: "begin without seed", cmd: cmdPolicyBegin, attrs: goodVersion, want: unix.EINVAL},
		{name: "begin without version", cmd: cmdPolicyBegin, attrs: goodSeed, want: unix.EINVAL},
		{name: "add to nothing", cmd: cmdPolicyAdd, attrs: goodType, want: unix.ENOENT},
		{name: "commit nothing", cmd: cmdPolicyCommit, attrs: goodVersion, want: unix.ENOENT},
		{name: "commit with an unknown attribute", cmd: cmdPolicyCommit, attrs: attrs(goodVersion, u32(attrUnknown, 1)), want: unix.EINVAL},

		{name: "policy with an attribute", cmd: cmdGetPolicy, attrs: goodVersion, want: unix.EINVAL},
		{name: "rules with an attribute", cmd: cmdGetRule, flags: netlink.Dump, attrs: u32(attrUnknown, 1), want: unix.EINVAL},
		{name: "sessions with an unknown attribute", cmd: cmdGetSession, flags: netlink.Dump, attrs: u32(attrUnknown, 1), want: unix.EINVAL},
		{name: "session without id", cmd: cmdGetSession, want: unix.EINVAL},
		{name: "session with a short id", cmd: cmdGetSession, attrs: attr(attrSession, make([]byte, 15)), want: unix.ERANGE},
		{name: "session with an unknown attribute", cmd: cmdGetSession, attrs: attrs(goodSession, u32(attrUnknown, 1)), want: unix.EINVAL},
		{name: "no such session", cmd: cmdGetSession, attrs: goodSession, want: unix.ENOENT},
		{name: "delete without id", cmd: cmdDelSession, want: unix.EINVAL},
		{name: "delete with an unknown attribute", cmd: cmdDelSession, attrs: attrs(goodSession, u32(attrUnknown, 1)), want: unix.EINVAL},
		{name: "delete no such session", cmd: cmdDelSession, attrs: goodSession, want: unix.ENOENT},
		{name: "stats with an attribute", cmd: cmdGetStats, attrs: u32(attrUnknown, 1), want: unix.EINVAL},
	}
	s, err := within(h, openSocket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.conn.Close() }()
	before := h.info(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			refusal(t, s.command(row.cmd, row.flags, row.attrs), row.want)
			if diff := cmp.Diff(before, h.info(t)); diff != "" {
				t.Errorf("it changed the module (-before +after):\n%s", diff)
			}
		})
	}
}

// refusal wants an error number and an explanation.
func refusal(t *testing.T, err error, want unix.Errno) {
	t.Helper()
	var oe *netlink.OpError
	switch {
	case err == nil:
		t.Error("accepted, want a refusal")
	case !errors.As(err, &oe) || !errors.Is(err, want):
		t.Errorf("refused with %v, want %v", err, want)
	case oe.Message == "":
		t.Errorf("refused with %v and no explanation", err)
	}
}

// What is wrong in the middle of a policy leaves the running one in force.
func TestNetlinkRefusesWrongPolicies(t *testing.T) {
	r := newRig(t, 1)
	r.load(t, "match(dstport=80) >> {mb1}\n")
	h := r.client()

	address := attr(attrAddress, []byte{10, 8, 0, 2})
	rule := func(list ...[]byte) []byte { return nest(attrRule, list...) }
	id, block, noTypes := u32(attrRuleID, 1), u8(attrFailure, 0), attr(attrTypes, nil)
	rows := []struct {
		name  string
		attrs []byte
		want  unix.Errno
	}{
		{"unknown attribute", u32(attrUnknown, 1), unix.EINVAL},
		{"version", goodVersion, unix.EINVAL},
		{"type without name", nest(attrType, goodInstance), unix.EINVAL},
		{"type with an empty name", nest(attrType, text(attrTypeName, ""), goodInstance), unix.EINVAL},
		{"type with a long name", nest(attrType, text(attrTypeName, "abcdefghijklmnopqrstuvwxyzabcdef"), goodInstance), unix.EINVAL},
		{"type without instance", nest(attrType, text(attrTypeName, "a")), unix.EINVAL},
		{"type with an unknown attribute", nest(attrType, text(attrTypeName, "a"), goodInstance, u32(attrUnknown, 1)), unix.EINVAL},
		{"instance without address", nest(attrType, text(attrTypeName, "a"), nest(attrInstance, u32(attrWeight, 1))), unix.EINVAL},
		{"instance without weight", nest(attrType, text(attrTypeName, "a"), nest(attrInstance, address)), unix.EINVAL},
		{"instance with weight 0", nest(attrType, text(attrTypeName, "a"), nest(attrInstance, address, u32(attrWeight, 0))), unix.ERANGE},
		{"instance with weight 65536", nest(attrType, text(attrTypeName, "a"), nest(attrInstance, address, u32(attrWeight, 65536))), unix.ERANGE},
		{"instance at 0.0.0.0", nest(attrType, text(attrTypeName, "a"),
			nest(attrInstance, attr(attrAddress, make([]byte, 4)), u32(attrWeight, 1))), unix.EINVAL},
		{"instance with an unknown attribute", nest(attrType, text(attrTypeName, "a"),
			nest(attrInstance, address, u32(attrWeight, 1), u32(attrUnknown, 1))), unix.EINVAL},
		{"rule without id", rule(block, noTypes), unix.EINVAL},
		{"rule without on-failure", rule(id, noTypes), unix.EINVAL},
		{"rule without types", rule(id, block), unix.EINVAL},
		{"rule with an undefined on-failure", rule(id, u8(attrFailure, 2), noTypes), unix.ERANGE},
		{"rule with a type that is not there", rule(id, block, attr(attrTypes, []byte{9, 0})), unix.EINVAL},
		{"rule with half a type", rule(id, block, attr(attrTypes, []byte{0})), unix.EINVAL},
		{"rule with 16 types", rule(id, block, attr(attrTypes, make([]byte, 32))), unix.ERANGE},
		{"rule with hits", rule(id, block, noTypes, u64(5, 1)), unix.EINVAL},
		{"rule with an unknown attribute", rule(id, block, noTypes, u32(attrUnknown, 1)), unix.EINVAL},
		{"program that is no array", attr(attrProg, make([]byte, 9)), unix.EINVAL},
		{"empty program", attr(attrProg, nil), unix.ERANGE},
		{"program that does not return", attr(attrProg, make([]byte, 8)), unix.EINVAL},
		{"program of 4097 instructions", attr(attrProg, make([]byte, 4097*8)), unix.ERANGE},
		{"host 0.0.0.0", attr(attrHost, make([]byte, 4)), unix.EINVAL},
		{"host with a long address", attr(attrHost, make([]byte, 16)), unix.EINVAL},
		{"good type, then a wrong rule", attrs(goodType, rule(id)), unix.EINVAL},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s, err := within(h, openSocket)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.conn.Close() }()
			if err := s.command(cmdPolicyBegin, 0, attrs(goodVersion, goodSeed)); err != nil {
				t.Fatal(err)
			}
			refusal(t, s.command(cmdPolicyAdd, 0, row.attrs), row.want)
			if got := h.info(t).PolicyVersion; got != r.version {
				t.Errorf("policy %d runs, want %d", got, r.version)
			}
		})
	}

	t.Run("another version is committed", func(t *testing.T) {
		s, err := within(h, openSocket)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.conn.Close() }()
		if err := s.command(cmdPolicyBegin, 0, attrs(goodVersion, goodSeed)); err != nil {
			t.Fatal(err)
		}
		refusal(t, s.command(cmdPolicyCommit, 0, u64(attrVersion, 78)), unix.EINVAL)
	})
	t.Run("two load at once", func(t *testing.T) {
		first, err := within(h, openSocket)
		if err != nil {
			t.Fatal(err)
		}
		second, err := within(h, openSocket)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = second.conn.Close() }()
		if err := first.command(cmdPolicyBegin, 0, attrs(goodVersion, goodSeed)); err != nil {
			t.Fatal(err)
		}
		refusal(t, second.command(cmdPolicyBegin, 0, attrs(goodVersion, goodSeed)), unix.EBUSY)
		// What is not committed goes with its socket.
		_ = first.conn.Close()
		eventually(t, soon, func() error { return second.command(cmdPolicyBegin, 0, attrs(goodVersion, goodSeed)) })
	})
	if got := h.info(t).PolicyVersion; got != r.version {
		t.Errorf("policy %d runs in the end, want %d", got, r.version)
	}
}

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
