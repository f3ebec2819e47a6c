// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"mbchain/genl"
	"mbchain/proto"
)

// The client's sequence numbers begin anew at 0 in the middle of a migration: what waits
// begins before that and ends after it.
func TestSequenceNumbersWrapDuringMigration(t *testing.T) {
	const sent, left = 100_000, 700 // bytes before the migration, and from there to 0
	l := useLab(t)
	l.apply(t, "match(dstport=5001) >> {mb1}\n")
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	impair(t, l.all(), "delay", "20ms") // each step of a migration can be seen then
	tried := []proto.Guarantee{proto.Guarantee_GUARANTEE_SUBSTREAM}
	if soaking() {
		tried = guarantees
	}
	for _, g := range tried {
		t.Run(guaranteeText(g), func(t *testing.T) {
			nf := runOrderNF(t, 5001, mb[0], mb[2])
			inMigration := false
			for !inMigration {
				c := client.connectAt(t, 1<<32-1-sent-left, server.port(5001)) // a SYN takes a number
				talk(t, c, sent)
				p := &chainOfLab{lab: l, t: t, guarantee: g, session: client.session(t, superOf(c))}
				before := l.lost(t)
				nf.take()
				over := make(chan *proto.Migration, 1)
				go func() { over <- p.begin(replacement(mb[0], mb[2])) }()
				inMigration = p.awaitRecord(client, func(r genl.MigrationRecord) bool {
					return r.Installed && (r.Paused || g == proto.Guarantee_GUARANTEE_LOSS_FREE)
				}, over)
				talk(t, c, sent)
				if m := <-over; m == nil || m.State != "done" {
					t.Fatalf("migration is %v", m)
				}
				p.wants(client, mb[2], server)
				talk(t, c, sent)
				l.lostNone(t, before, g)
				passed := nf.take()
				before0 := func(p passage) bool { return p.rightward && p.seq > 1<<31 }
				behind0 := func(p passage) bool { return p.rightward && p.seq < 1<<31 }
				if !slices.ContainsFunc(passed, before0) || !slices.ContainsFunc(passed, behind0) {
					t.Error("the sequence numbers did not begin anew")
				}
				if g != proto.Guarantee_GUARANTEE_LOSS_FREE {
					if err := inTurn(passed, mb[0], mb[2], g); err != nil {
						t.Error(err)
					}
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				awaitSessions(t, 0, l.all()...)
			}
		})
	}
}

// awaitRecord waits until the record of a migration at a host is as it should be; it
// returns false if the migration is over before.
func (p *chainOfLab) awaitRecord(h *host, reached func(genl.MigrationRecord) bool, over chan *proto.Migration) bool {
	p.t.Helper()
	was := false
	eventually(p.t, soon, func() error {
		records, err := h.module.Migrations(p.t.Context())
		was = slices.ContainsFunc(records, reached)
		if err == nil && !was && len(over) == 0 {
			err = errors.New("the migration does not begin")
		}
		return err
	})
	return was
}

// sendQueue is TCP_SEND_QUEUE of linux/tcp.h.
const sendQueue = 2

// connectAt connects with a sequence number of its own choice, that of the SYN.
func (h *host) connectAt(t *testing.T, seq uint32, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	c, err := within(h, func() (*net.TCPConn, error) {
		return dialHere(ctx, h.port(0), to, func(fd int) error {
			return errors.Join(
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1),
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR_QUEUE, sendQueue),
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ, int(seq)),
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 0),
			)
		})
	})
	if err != nil {
		t.Fatalf("connect from %s with sequence number %d: %v", h.name, seq, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
