// SPDX-License-Identifier: Apache-2.0

package main

import "mbchain/proto"

// lacksNF reports whether the NF of a host is not as its agent was told.
func lacksNF(h *proto.Host) bool { return h.Connected && h.Status.GetNfError() != "" }

// printNFNotes names these hosts below a list.
func (w *world) printNFNotes(hosts []*proto.Host) {
	first := true
	for _, h := range hosts {
		if !lacksNF(h) {
			continue
		}
		if first {
			w.printf("\n")
			first = false
		}
		w.printf("%s\n", w.paint(red, h.Name+": its NF is not as agentd --nf says: "+h.Status.GetNfError()))
	}
}
