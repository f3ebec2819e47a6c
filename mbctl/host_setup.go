// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"mbchain/proto"
)

// peerView is in JSON a neighbour to which SYNs with payload do not pass.
type peerView struct {
	Address   string `json:"address"`
	ExpiresMs uint64 `json:"expires_ms"` // until in-band set-up is tried again
	Sessions  uint64 `json:"sessions"`   // set up out-of-band since it was noticed
}

func viewPeers(peers []*proto.Peer) []peerView {
	views := make([]peerView, 0, len(peers))
	for _, p := range peers {
		views = append(views, peerView{Address: p.Address, ExpiresMs: p.ExpiresMs, Sessions: p.Sessions})
	}
	return views
}

// peerText is "10.0.0.3: 12 sessions, in-band again in 9m12s".
func peerText(p *proto.Peer) string {
	return fmt.Sprintf("%s: %s, in-band again in %s", p.Address, plural(p.Sessions, "session"), millisText(p.ExpiresMs))
}

// printSetupNotes says below the list of hosts what is out of the ordinary in
// how they set sessions up.
func (w *world) printSetupNotes(hosts []*proto.Host) {
	var notes, unable []string
	for _, h := range hosts {
		if h.Connected && h.Status.GetModuleVersion() != "" && !h.Status.GetOutOfBand() {
			unable = append(unable, h.Name)
		}
		for _, p := range h.Status.GetPeers() {
			notes = append(notes, fmt.Sprintf("%s sets sessions up out-of-band, as SYNs with payload do not pass, to %s", h.Name, peerText(p)))
		}
		if n := h.Status.GetMorePeers(); n > 0 {
			notes = append(notes, fmt.Sprintf("%s sets sessions up so to %s more", h.Name, plural(n, "neighbour")))
		}
	}
	if len(unable) > 0 {
		notes = append(notes, "no set-up out-of-band, so no UDP: "+strings.Join(unable, ", ")+"; give agentd --token-file")
	}
	if len(notes) > 0 {
		w.printf("\n")
	}
	for _, note := range notes {
		w.printf("%s\n", w.paint(yellow, note))
	}
}

// addSetup appends to a table of names and values how a host sets sessions up.
func addSetup(t *table, s *proto.HostStatus) {
	if s.GetOutOfBand() {
		t.add(text("set-up"), text("in-band and out-of-band"))
	} else {
		t.add(text("set-up"), tinted(yellow, "in-band only, so no UDP: give agentd --token-file"))
	}
	for _, p := range s.GetPeers() {
		t.add(cell{}, tinted(yellow, "SYNs with payload do not pass to "+peerText(p)))
	}
	if n := s.GetMorePeers(); n > 0 {
		t.add(cell{}, tinted(yellow, "nor to "+plural(n, "neighbour")+" more"))
	}
}
