// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"

	"mbchain/chain"
)

// Between hosts nobody sees the client's and the server's tuple; on every host
// everybody does.
func TestWireAndHostsSeeDifferentTuples(t *testing.T) {
	l := useLab(t)
	eachFamily(t, func(t *testing.T, f family) { l.of(f).wireAndHosts(t, f) })
}

func (l *lab) wireAndHosts(t *testing.T, f family) {
	const (
		port = 5001
		from = 43000
	)
	l.apply(t, fmt.Sprintf("match(dstport=%d) >> %s\n", port, l.chain(labMiddleboxes)))
	client, server := l.client(), l.server()
	e := server.echo(t, port)
	for _, mb := range l.middleboxes() {
		mb.nft(t, "witness", fmt.Sprintf(`
			counter right { }
			counter left { }
			counter other { }
			chain c {
				type filter hook forward priority 0
				%[5]s saddr %[1]s tcp sport %[2]d %[5]s daddr %[3]s tcp dport %[4]d counter name right accept
				%[5]s saddr %[3]s tcp sport %[4]d %[5]s daddr %[1]s tcp dport %[2]d counter name left accept
				meta l4proto tcp counter name other
			}`, client.addr, from, server.addr, port, f.nft))
	}
	var taps []*capture
	for _, h := range l.all() {
		taps = append(taps, h.capture(t))
	}
	c := client.connect(t, from, server.port(port))
	talk(t, c, mib)
	super := superOf(c)
	s := client.session(t, super)
	l.chained(t, s, l.all()...)

	var show shown
	l.mbctl(t, &show, "session", "show", s.ID.String())
	t.Run("session show", func(t *testing.T) { l.checkShown(t, show, s.ID) })
	if t.Failed() {
		return
	}

	t.Run("links carry subsessions alone", func(t *testing.T) {
		seen := make(map[chain.FiveTuple]int)
		for i, tap := range taps {
			for _, p := range tap.packets(t) {
				if !p.isTCP() || p.device != "left" && p.device != "right" {
					continue
				}
				link := i // the one to the right
				if p.device == "left" {
					link = i - 1
				}
				want := show.Session.Subsessions[link].Left.Tuple.tuple()
				switch got := p.tuple(); got {
				case want, want.Reverse():
					seen[got]++
				default:
					t.Fatalf("%s of %s carries %v, want only the subsession %v", p.device, tap.name, got, want)
				}
			}
		}
		for _, sub := range show.Session.Subsessions {
			tuple := sub.Left.Tuple.tuple()
			if seen[tuple] == 0 || seen[tuple.Reverse()] == 0 {
				t.Errorf("%d packets of %v and %d back, want some of both", seen[tuple], tuple, seen[tuple.Reverse()])
			}
		}
	})
	t.Run("nftables on middleboxes sees the client", func(t *testing.T) {
		for _, mb := range l.middleboxes() {
			out := mb.run(t, "nft", "list", "counters", "table", "inet", "witness")
			for _, name := range []string{"right", "left"} {
				if strings.Contains(out, fmt.Sprintf("counter %s {\n\t\tpackets 0 ", name)) {
					t.Errorf("%s: no packet with the session's tuple to the %s", mb.name, name)
				}
			}
			if !strings.Contains(out, "counter other {\n\t\tpackets 0 ") {
				t.Errorf("%s: packets with another tuple: %s", mb.name, out)
			}
		}
	})
	t.Run("the server sees the client", func(t *testing.T) {
		if !e.has(super.Source) {
			t.Errorf("accept does not know %v", super.Source)
		}
		out := server.run(t, "ss", "--numeric", "--tcp", "--no-header", "state", "established", "sport", "=", fmt.Sprint(port))
		if !strings.Contains(out, super.Source.String()) || !strings.Contains(out, super.Destination.String()) {
			t.Errorf("ss says %q, want %v and %v", out, super.Source, super.Destination)
		}
	})
}
