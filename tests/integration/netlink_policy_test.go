// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"golang.org/x/sys/unix"
)

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
