// SPDX-License-Identifier: Apache-2.0

package main

import "mbchain/proto"

// reasons are the words of docs/PROTOCOL.md, "Reasons of a REJECT, a REFUSE and a
// failed wish", for people.
var reasons = map[string]string{
	"busy":          "another migration has the session there, or it is leaving that host or on it already",
	"no_session":    "the host does not carry the session",
	"path_changed":  "the chain was changed since this was planned",
	"unlocked":      "the right anchor is not locked by it, or not any more",
	"policy":        "the policy does not let it change",
	"leaving":       "the agent there shuts down",
	"no_answer":     "a host is lost, or did not answer in time",
	"overflow":      "more packets came meanwhile than may be held",
	"nf_state":      "the state of the network function could not be moved",
	"module_failed": "the module there failed an order",
	"cancelled":     "it was aborted by an operator",
	"session_over":  "the session ended first",
}

// steps are those of a migration's history, for people.
var steps = map[string]string{
	"locked":    "all hosts of the old path are locked",
	"committed": "the new path is in use; there is no way back",
	"drained":   "the old path has carried its last packet",
	"done":      "the old path is given up",
	"released":  "packets that were held went by the old path: order is not promised any more",
	"aborted":   "all is as it was, or will be",
	"failed":    "there will be no other try",
	"ended":     "the session ended first",
}

// whyText is a reason with the host that gave it: "busy at mb1".
func (n hostNames) whyText(why *proto.MigrateWhy) string {
	if why.GetReason() == "" || why.GetAddress() == "" {
		return why.GetReason()
	}
	return why.GetReason() + " at " + n.label(why.GetAddress())
}

// explain is whyText with a sentence, where the word is known.
func (n hostNames) explain(why *proto.MigrateWhy) string {
	return withMeaning(n.whyText(why), why.GetReason())
}

// withMeaning appends to a text what its reason means, where the word is known.
func withMeaning(text, reason string) string {
	if meaning := reasons[reason]; meaning != "" {
		text += ": " + meaning
	}
	return text
}
