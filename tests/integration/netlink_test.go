// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
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
