// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
)

// What the attributes of IPv6 look like, beside those of IPv4.
func TestEncodeIPv6(t *testing.T) {
	littleEndian(t)
	adds, err := encodeAdds(&Policy{
		Types: []Type{{Name: "fw", Instances: []Instance{
			{Addr: netip.MustParseAddr("10.0.0.2"), Addr6: netip.MustParseAddr("fd00::2"), Weight: 3},
			{Addr6: netip.MustParseAddr("fd00::4"), Weight: 1},
		}}},
		Programs:  [][]bpf.RawInstruction{{{Op: 6, K: 1}}},
		Programs6: [][]bpf.RawInstruction{{{Op: 6, K: 2}}},
		Hosts:     []netip.Addr{netip.MustParseAddr("fd00::9"), netip.MustParseAddr("10.0.0.9")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := join(
		[]byte{84, 0, 4, 0x80},
		[]byte{7, 0, 1, 0, 'f', 'w', 0, 0},
		[]byte{40, 0, 2, 0x80},
		[]byte{8, 0, 1, 0, 10, 0, 0, 2},
		[]byte{20, 0, 3, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2},
		[]byte{8, 0, 2, 0, 3, 0, 0, 0},
		[]byte{32, 0, 2, 0x80},
		[]byte{20, 0, 3, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4},
		[]byte{8, 0, 2, 0, 1, 0, 0, 0},
		[]byte{12, 0, 6, 0, 6, 0, 0, 0, 1, 0, 0, 0},
		[]byte{12, 0, 12, 0, 6, 0, 0, 0, 2, 0, 0, 0},
		[]byte{20, 0, 13, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9},
		[]byte{8, 0, 7, 0, 10, 0, 0, 9},
	)
	if diff := cmp.Diff(want, slices.Concat(adds...)); diff != "" {
		t.Errorf("bytes (-want +got):\n%s", diff)
	}
}
