// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"slices"

	"mbchain/genl"
	"mbchain/proto"
)

// Traffic is what the module's counters say of a host's work.
type Traffic struct {
	Packets uint64 // turned to their supersession on their way in
	Drops   uint64 // dropped, for whatever reason
}

// isDrop reports whether packets that a counter counts go no farther.
func isDrop(name string) bool {
	return slices.ContainsFunc(drops[:], func(r genl.Reason) bool { return r.String() == name })
}

var drops = [...]genl.Reason{
	genl.ReasonHdrStale, genl.ReasonHdrReplay, genl.ReasonHdrTuple, genl.ReasonHdrReceiver, genl.ReasonHdrLoop,
	genl.ReasonBlocked, genl.ReasonBadPacket, genl.ReasonNotWritable, genl.ReasonRouteGone, genl.ReasonHoldFull,
	genl.ReasonTooBig, genl.ReasonRedirectGone, genl.ReasonLateRST, genl.ReasonMarkerStrange, genl.ReasonUnchained,
}

// TrafficOf adds the counters up.
func TrafficOf(counters []*proto.Counter) Traffic {
	var t Traffic
	for _, c := range counters {
		switch {
		case c.GetName() == genl.ReasonRewrittenIn.String():
			t.Packets = c.GetValue()
		case isDrop(c.GetName()):
			t.Drops += c.GetValue()
		}
	}
	return t
}
