// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"

	"mbchain/proto"
)

// draw prints the frame.
func (f *frame) draw(w *world) {
	w.printf("%s  ", f.at.Format("15:04:05"))
	if f.err != nil {
		w.printf("%s\n", w.paint(red, clean(f.err.Error())))
		return
	}
	sum := f.domain.summary()
	health := w.paint(green, "healthy")
	if !sum.Healthy {
		health = w.paint(red, "not healthy")
	}
	w.printf("%s  policyd %s, %s  policy %d  hosts %d of %d connected, %d in sync\n", health, f.address,
		dash(f.domain.status.State), f.domain.policy.Version, sum.HostsConnected, sum.Hosts, sum.HostsInSync)
	f.drawHosts(w)
	f.drawMigrations(w)
	f.drawSessions(w)
}

// drawHosts has those first that are not as they should be.
func (f *frame) drawHosts(w *world) {
	if len(f.domain.policy.Hosts) == 0 {
		w.printf("\nno host has registered yet; start agentd with --policyd on each\n")
		return
	}
	w.printf("\n")
	reported := f.domain.reported()
	all := slices.Clone(f.domain.policy.Hosts)
	well := func(h *proto.HostPolicy) bool {
		return stateOf(h, f.domain.policy.Version) == hostRunning && reported[h.Host].GetNfError() == ""
	}
	slices.SortStableFunc(all, func(a, b *proto.HostPolicy) int {
		switch {
		case well(a) == well(b):
			return 0
		case well(b):
			return -1
		}
		return 1
	})
	t := newTable("HOST", "CONNECTED", "STATE", "SESSIONS", "MEMORY", "WHY")
	for _, h := range all[:min(watchRows, len(all))] {
		connected := text("yes")
		if !h.Connected {
			connected = tinted(red, "no")
		}
		state, why := stateCells(h, f.domain.policy.Version)
		if e := reported[h.Host].GetNfError(); e != "" {
			why = "its NF is not as agentd --nf says: " + e
		}
		t.add(text(h.Host), connected, state, number(uint64(reported[h.Host].GetSessions())),
			figure(bytesText(sessionMemory(reported[h.Host]))), cell{text: why})
	}
	t.print(w)
	w.more(len(all), "host")
}

func (f *frame) drawMigrations(w *world) {
	w.printf("\n")
	if len(f.moves.Migrations) == 0 {
		w.printf("no migration\n")
		return
	}
	w.migrationTable(f.newest(), f.names).print(w)
	w.printf("%s\n", migrationTally(f.moves.Counts))
}

func (f *frame) drawSessions(w *world) {
	w.printf("\n")
	if len(f.chains) == 0 {
		w.printf("no session\n")
		return
	}
	list := f.chains[:min(watchRows, len(f.chains))]
	ids := make([]string, len(list))
	for i, s := range list {
		ids[i] = s.ID
	}
	digits := digitsApart(ids)
	t := newTable("ID", "STATE", "PROTO", "CLIENT", "SERVER", "RATE", "PACKETS/S", "BYTES", "HOSTS")
	for _, s := range list {
		t.add(text(cut8(s.ID, digits)), text(s.First().State), text(protocolText(s.Super.GetProtocol())),
			text(endText(s.Super.GetSource(), s.Super.GetSourcePort())),
			text(endText(s.Super.GetDestination(), s.Super.GetDestinationPort())),
			figure(bytesText(uint64(s.bytesPer))+"/s"), number(uint64(s.packetsPerSecond)),
			figure(bytesText(s.bytes)), cell{text: routeText(s.Chain)})
	}
	t.print(w)
	w.more(len(f.chains), "session")
	if f.truncated {
		w.printf("%s\n", w.paint(faint, fmt.Sprintf("of %s at most of each host", plural(uint64(watchSessions), "session"))))
	}
	for _, m := range f.missing {
		w.printf("%s\n", w.paint(red, "no sessions from "+m.Host+": "+m.Error))
	}
}

// more says how many are not shown.
func (w *world) more(all int, noun string) {
	if n := all - watchRows; n > 0 {
		w.printf("%s\n", w.paint(faint, "and "+plural(n, noun)+" more"))
	}
}
