// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"testing"

	"mbchain/proto"
)

func TestTrafficOf(t *testing.T) {
	got := TrafficOf([]*proto.Counter{
		{Name: "rewritten_in", Value: 100}, {Name: "rewritten_out", Value: 90}, {Name: "blocked", Value: 3},
		{Name: "hdr_replay", Value: 4}, {Name: "hdr_mac", Value: 50}, {Name: "bypassed", Value: 60}, {Name: "invented_later", Value: 7},
	})
	if want := (Traffic{Packets: 100, Drops: 7}); got != want {
		t.Errorf("traffic %+v, want %+v", got, want)
	}
}
