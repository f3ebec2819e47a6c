// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mbchain/chain"
)

func TestAFrameIsReadAsItWasWritten(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			want := segment{
				tuple: flowTuple(f.client, f.server, httpPort, 7, chain.ProtocolTCP),
				flags: flagSYN | flagACK, seq: 1 << 31, ack: 5,
				options: synOptions, payload: []byte("odd"),
			}
			frame := want.frame(c0)
			got, ok := parse(frame)
			if !ok {
				t.Fatalf("no TCP in % x", frame)
			}
			got.options = synOptions
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(segment{}), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// With the checksum in it, the sum over a packet is that of all ones.
func TestChecksumsAreRight(t *testing.T) {
	for _, f := range families {
		for _, protocol := range []uint8{chain.ProtocolTCP, chain.ProtocolUDP} {
			t.Run(f.name+" "+chain.ProtocolName(protocol), func(t *testing.T) {
				s := segment{tuple: flowTuple(f.client, f.server, httpPort, 7, protocol), payload: []byte("odd")}
				p := s.packet()
				header, addresses := 40, 8
				if f == ipv4 {
					header, addresses = 20, 12
					if got := sum(0, p[:header]); got != 0xffff {
						t.Errorf("sum over the IP header is %#x", got)
					}
				}
				l4 := p[header:]
				pseudo := sum(uint32(protocol)+uint32(len(l4)), p[addresses:header])
				if got := sum(uint32(pseudo), l4); got != 0xffff {
					t.Errorf("sum over header and data is %#x", got)
				}
			})
		}
	}
}
