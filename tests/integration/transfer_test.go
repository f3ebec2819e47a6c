// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"
	"time"
)

// conditions are what a transfer goes through.
type conditions struct {
	chain     int // middleboxes
	size      int64
	mtu       int // of every link; 0: 1500
	ipv6      bool
	offloads  bool
	conntrack bool // on every middlebox
	loss      bool // 1 % in each direction of the second link
}

func (c conditions) String() string {
	s := fmt.Sprintf("chain of %d, %d MiB", c.chain, c.size/mib)
	for _, d := range []struct {
		is   bool
		what string
	}{{c.ipv6, "IPv6"}, {c.mtu != 0, fmt.Sprintf("MTU %d", c.mtu)}, {c.conntrack, "conntrack"}, {c.loss, "loss 1 %"}} {
		if d.is {
			s += ", " + d.what
		}
	}
	return s
}

// sample is what every test run does.
var sample = []conditions{
	{chain: 1, size: 4 * mib, ipv6: true, offloads: true, mtu: 9000},
	{chain: 2, size: 8 * mib, offloads: true},
	{chain: 2, size: 4 * mib, ipv6: true, offloads: true, conntrack: true},
	{chain: 5, size: 4 * mib, offloads: true, mtu: 9000},
	{chain: 5, size: 2 * mib},
	{chain: 2, size: 2 * mib, ipv6: true},
	{chain: 1, size: 2 * mib, conntrack: true, loss: true},
}

// matrix is every combination for IPv4, but that of large frames with what else
// may be wrong, and the two ends of it for IPv6; it takes the better part of an hour.
func matrix() (all []conditions) {
	for _, chain := range []int{1, 2, 5} {
		for flags := range 1 << 3 {
			all = append(all, conditions{chain: chain, size: 256 * mib,
				offloads: flags&1 == 0, conntrack: flags&2 != 0, loss: flags&4 != 0})
		}
		for _, offloads := range []bool{true, false} {
			all = append(all, conditions{chain: chain, size: 256 * mib, mtu: 9000, offloads: offloads},
				conditions{chain: chain, size: 256 * mib, ipv6: true, offloads: offloads},
				conditions{chain: chain, size: 256 * mib, ipv6: true, offloads: offloads, conntrack: true, loss: true})
		}
	}
	return all
}

// What goes in at one end comes out at the other, in both directions.
func TestTransfer(t *testing.T) {
	l := useLab(t)
	labs := map[bool]*lab{false: l, true: l.of(ipv6)}
	webs := map[bool]*web{false: l.serve(t), true: labs[true].serve(t)}
	rows := sample
	if soaking() {
		rows = matrix()
	}
	for _, offloads := range []bool{true, false} {
		t.Run(fmt.Sprintf("offloads %v", offloads), func(t *testing.T) {
			if !offloads {
				l.offloads(t, "off")
				t.Cleanup(func() { l.offloads(t, "on") })
			}
			for _, c := range rows {
				if slow > 1 { // more of the same shows nothing new, and takes an hour
					c.size = min(c.size, 4*mib)
				}
				if c.offloads == offloads {
					t.Run(c.String(), func(t *testing.T) { labs[c.ipv6].transfer(t, webs[c.ipv6], c) })
				}
			}
		})
	}
}

// transfer moves a file both ways, with the offloads that there are.
func (l *lab) transfer(t *testing.T, w *web, c conditions) {
	l.apply(t, fmt.Sprintf("match(dstport=%d) >> %s\n", webPort, l.chain(c.chain)))
	if c.mtu != 0 {
		l.mtu(t, c.mtu)
		t.Cleanup(func() { l.mtu(t, 1500) })
	}
	if c.conntrack {
		for _, mb := range l.middleboxes()[:c.chain] {
			mb.nft(t, "track", "chain c { type filter hook forward priority 0; ct state invalid counter drop; ct state new,established counter accept; }")
		}
	}
	if c.loss {
		impair(t, l.all()[1:3], "loss", "1%")
	}
	name := fmt.Sprint(c.size)
	w.file(t, name, c.size)
	before := l.client().counters(t)

	begun := time.Now()
	if err := w.download(webPort, name, newGate(c.size)); err != nil {
		t.Error(err)
	}
	t.Log("down:", rate(c.size, time.Since(begun)))
	begun = time.Now()
	if err := w.upload(webPort, name, newGate(c.size)); err != nil {
		t.Error(err)
	}
	t.Log("up:  ", rate(c.size, time.Since(begun)))

	if got := l.client().counters(t).since(before)["setup_started"]; got != 2 {
		t.Errorf("%d sessions were set up, want 2", got)
	}
	awaitSessions(t, 0, l.all()...)
}

func (l *lab) mtu(t *testing.T, bytes int) {
	t.Helper()
	for _, h := range l.hosts {
		var commands []string
		for _, link := range h.Links {
			commands = append(commands, fmt.Sprintf("link set %s mtu %d", link.Interface, bytes))
		}
		h.ip(t, commands...)
	}
}

func (l *lab) offloads(t *testing.T, state string) {
	t.Helper()
	for _, h := range l.hosts {
		for _, link := range h.Links {
			h.offloads(t, link.Interface, state)
		}
	}
}
