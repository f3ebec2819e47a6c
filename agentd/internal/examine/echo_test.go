// SPDX-License-Identifier: Apache-2.0

package examine

import (
	"errors"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Loopback answers all; that narrow ways are found, tests/integration sees in a guest.
func TestEchoOfLoopback(t *testing.T) {
	tests := []struct {
		name string
		host string
		mtus []int
		link int
	}{
		{"the largest fits", "127.0.0.1", []int{9000, 1500}, 9000},
		{"the largest does not", "127.0.0.1", []int{1 << 20, 1500}, maxPacket}, // no packet is longer
		{"IPv6", "::1", []int{9000, 1500}, 9000},
		{"no device", "127.0.0.1", nil, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Echo(t.Context(), netip.MustParseAddr(test.host), test.mtus)
			if os.Geteuid() != 0 { // and without CAP_NET_RAW
				if !errors.Is(got.Err, unix.EPERM) {
					t.Errorf("without the right to: %+v", got)
				}
				return
			}
			if want := (Echoed{Link: test.link, Short: true, Large: test.link != 0}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}
