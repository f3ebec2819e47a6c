// SPDX-License-Identifier: Apache-2.0

package genl

import "fmt"

// A Reason is why a packet or session came to its end, or what was done with
// it: enum mbc_reason of the module, one counter each. kmod/uapi/mbchain_reason.h
// says what becomes of a packet with each of them.
type Reason uint32

// All reasons, in the module's order.
const (
	ReasonNone Reason = iota
	ReasonRewrittenIn
	ReasonRewrittenOut
	ReasonSetupStarted
	ReasonSetupAccepted
	ReasonSetupRepeated
	ReasonEndFIN
	ReasonEndRST
	ReasonEndSYNTimeout
	ReasonEndIdle
	ReasonEndDeleted
	ReasonEndReplaced
	ReasonHdrTruncated
	ReasonHdrVersion
	ReasonHdrLength
	ReasonHdrFlags
	ReasonHdrProto
	ReasonHdrHops
	ReasonHdrKey
	ReasonHdrMAC
	ReasonHdrStale
	ReasonHdrReplay
	ReasonHdrTuple
	ReasonHdrReceiver
	ReasonHdrLoop
	ReasonNoKey
	ReasonNoRoute
	ReasonNoPort
	ReasonNoMemory
	ReasonTableFull
	ReasonSeenFull
	ReasonChainLoop
	ReasonSYNTooLong
	ReasonTupleTaken
	ReasonNoAnswer
	ReasonBlocked
	ReasonBypassed
	ReasonBadPacket
	ReasonNotWritable
	ReasonRouteGone
	ReasonFragment
	ReasonNoInstance
	ReasonSetupWaited
	ReasonSetupDone
	ReasonHeld
	ReasonHoldFull
	ReasonNoListener
	ReasonPeerRefused
	ReasonPeerNoted
	ReasonICMPIn
	ReasonICMPOut
	ReasonICMPBad
	ReasonTooBig
	ReasonFragmentHeld
	ReasonExpress
	ReasonTapped
	ReasonTapLost
	ReasonRedirected
	ReasonRedirectGone
	ReasonNATAstray
	ReasonSYNRefused
	ReasonNotMovable
	ReasonMarker
	ReasonLateRST
	ReasonPaused
	ReasonPauseOver
	ReasonMarkerLate
	ReasonMarkerStrange
	ReasonEndMoved
	ReasonAckAhead
	ReasonPauseSplit
	ReasonUnchained

	ReasonMax = ReasonUnchained // the highest that this package knows
)

// reasonNames holds the names that the module gives its counters.
var reasonNames = [...]string{
	ReasonNone:          "none",
	ReasonRewrittenIn:   "rewritten_in",
	ReasonRewrittenOut:  "rewritten_out",
	ReasonSetupStarted:  "setup_started",
	ReasonSetupAccepted: "setup_accepted",
	ReasonSetupRepeated: "setup_repeated",
	ReasonEndFIN:        "end_fin",
	ReasonEndRST:        "end_rst",
	ReasonEndSYNTimeout: "end_syn_timeout",
	ReasonEndIdle:       "end_idle",
	ReasonEndDeleted:    "end_deleted",
	ReasonEndReplaced:   "end_replaced",
	ReasonHdrTruncated:  "hdr_truncated",
	ReasonHdrVersion:    "hdr_version",
	ReasonHdrLength:     "hdr_length",
	ReasonHdrFlags:      "hdr_flags",
	ReasonHdrProto:      "hdr_proto",
	ReasonHdrHops:       "hdr_hops",
	ReasonHdrKey:        "hdr_key",
	ReasonHdrMAC:        "hdr_mac",
	ReasonHdrStale:      "hdr_stale",
	ReasonHdrReplay:     "hdr_replay",
	ReasonHdrTuple:      "hdr_tuple",
	ReasonHdrReceiver:   "hdr_receiver",
	ReasonHdrLoop:       "hdr_loop",
	ReasonNoKey:         "no_key",
	ReasonNoRoute:       "no_route",
	ReasonNoPort:        "no_port",
	ReasonNoMemory:      "no_memory",
	ReasonTableFull:     "table_full",
	ReasonSeenFull:      "seen_full",
	ReasonChainLoop:     "chain_loop",
	ReasonSYNTooLong:    "syn_too_long",
	ReasonTupleTaken:    "tuple_taken",
	ReasonNoAnswer:      "no_answer",
	ReasonBlocked:       "blocked",
	ReasonBypassed:      "bypassed",
	ReasonBadPacket:     "bad_packet",
	ReasonNotWritable:   "not_writable",
	ReasonRouteGone:     "route_gone",
	ReasonFragment:      "fragment",
	ReasonNoInstance:    "no_instance",
	ReasonSetupWaited:   "setup_waited",
	ReasonSetupDone:     "setup_done",
	ReasonHeld:          "held",
	ReasonHoldFull:      "hold_full",
	ReasonNoListener:    "no_listener",
	ReasonPeerRefused:   "peer_refused",
	ReasonPeerNoted:     "peer_noted",
	ReasonICMPIn:        "icmp_in",
	ReasonICMPOut:       "icmp_out",
	ReasonICMPBad:       "icmp_bad",
	ReasonTooBig:        "too_big",
	ReasonFragmentHeld:  "fragment_held",
	ReasonExpress:       "express",
	ReasonTapped:        "tapped",
	ReasonTapLost:       "tap_lost",
	ReasonRedirected:    "redirected",
	ReasonRedirectGone:  "redirect_gone",
	ReasonNATAstray:     "nat_astray",
	ReasonSYNRefused:    "syn_refused",
	ReasonNotMovable:    "not_movable",
	ReasonMarker:        "marker",
	ReasonLateRST:       "late_rst",
	ReasonPaused:        "paused",
	ReasonPauseOver:     "pause_over",
	ReasonMarkerLate:    "marker_late",
	ReasonMarkerStrange: "marker_strange",
	ReasonEndMoved:      "end_moved",
	ReasonAckAhead:      "ack_ahead",
	ReasonPauseSplit:    "pause_split",
	ReasonUnchained:     "unchained",
}

// String returns the module's name of the reason, such as "hdr_mac", or
// "reason_N" for one that a newer module has and this package does not.
func (r Reason) String() string {
	if uint64(r) < uint64(len(reasonNames)) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason_%d", uint32(r))
}
