// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"

	"mbchain/proto"
)

// Changes of disjoint pieces of one chain go on at the same time.
func TestBothEndsOfAChainChangeAtOnce(t *testing.T) {
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=5001) >> %s\n", l.chain(2)))
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	p := &chainOfLab{lab: l, t: t, guarantee: proto.Guarantee_GUARANTEE_ORDERED, session: client.session(t, superOf(c))}
	before := l.lost(t)
	stop := keepTalking(t, c)
	ends := p.together(insertion(mb[2], client), insertion(mb[3], mb[1]))
	stop()
	for _, m := range ends {
		if m.State != "done" {
			t.Errorf("migration is %v", m)
		}
	}
	p.wants(client, mb[2], mb[0], mb[1], mb[3], server)
	talk(t, c, 100_000)
	l.lostNone(t, before, p.guarantee)
}

// Two neighbours want to leave at the same moment: that is two changes of one piece of
// the chain, of which one is first. The other is asked for again, or has become
// another one.
func TestNeighboursLeaveAtOnce(t *testing.T) {
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=5001) >> %s\n", l.chain(2)))
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	for range sampled(2, 20) {
		c := client.connect(t, 0, server.port(5001))
		talk(t, c, 100_000)
		p := &chainOfLab{lab: l, t: t, guarantee: proto.Guarantee_GUARANTEE_LOSS_FREE, session: client.session(t, superOf(c))}
		before := l.lost(t)
		stop := keepTalking(t, c)
		first := p.together(removal(mb[0]), removal(mb[1]))
		if first[0].State != "done" && first[1].State != "done" {
			t.Errorf("nobody left: %v and %v", first[0], first[1])
		}
		for i, m := range first {
			if m.State != "done" {
				p.remove(mb[i])
			}
		}
		stop()
		p.wants(client, server)
		talk(t, c, 100_000)
		l.lostNone(t, before, p.guarantee)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		awaitSessions(t, 0, l.all()...)
	}
}

func insertion(h, after *host) *proto.StartMigrationsRequest {
	return &proto.StartMigrationsRequest{Change: &proto.StartMigrationsRequest_Insert{
		Insert: &proto.InsertHosts{Hosts: []string{h.name}, After: after.name},
	}}
}

func removal(h *host) *proto.StartMigrationsRequest {
	return &proto.StartMigrationsRequest{Change: &proto.StartMigrationsRequest_Remove{
		Remove: &proto.RemoveHosts{Hosts: []string{h.name}},
	}}
}

func replacement(from, to *host) *proto.StartMigrationsRequest {
	return &proto.StartMigrationsRequest{Change: &proto.StartMigrationsRequest_Replace{
		Replace: &proto.ReplaceHosts{From: []string{from.name}, To: []string{to.name}},
	}}
}

// all2 begins changes at the same time and returns what became of them.
func (p *chainOfLab) together(requests ...*proto.StartMigrationsRequest) []*proto.Migration {
	p.t.Helper()
	ends := make([]*proto.Migration, len(requests))
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() { ends[i] = p.begin(r) })
	}
	wg.Wait()
	for _, m := range ends {
		if m == nil {
			p.t.FailNow()
		}
	}
	return ends
}

// The connection ends in the middle of a migration: by FIN or RST of either side.
// Nobody keeps anything of it.
func TestConnectionEndsDuringMigration(t *testing.T) {
	l := useLab(t)
	l.apply(t, "match(dstport=5001) >> {mb1}\n")
	e := l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	impair(t, l.all(), "delay", "10ms")
	for _, row := range []struct {
		name string
		end  func(t *testing.T, c *net.TCPConn)
	}{
		{"FIN of the client", func(t *testing.T, c *net.TCPConn) {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}},
		{"RST of the client", reset},
		{"FIN of the server", func(t *testing.T, c *net.TCPConn) {
			e.hangUp(t, superOf(c).Source)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("client reads %v, want the end", err)
			}
			_ = c.Close()
		}},
		{"RST of the server", func(t *testing.T, c *net.TCPConn) {
			reset(t, e.end(superOf(c).Source).(*net.TCPConn))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("client reads %v, want a reset", err)
			}
			_ = c.Close()
		}},
	} {
		for _, g := range []proto.Guarantee{proto.Guarantee_GUARANTEE_LOSS_FREE, proto.Guarantee_GUARANTEE_ORDERED} {
			t.Run(fmt.Sprintf("%s, %v", row.name, g), func(t *testing.T) {
				c := client.connect(t, 0, server.port(5001))
				talk(t, c, 1000)
				p := &chainOfLab{lab: l, t: t, guarantee: g, session: client.session(t, superOf(c))}
				over := make(chan *proto.Migration, 1)
				go func() { over <- p.begin(replacement(mb[0], mb[2])) }()
				eventually(t, soon, func() error {
					records, err := client.module.Migrations(t.Context())
					if err == nil && len(records) == 0 {
						err = errors.New("the migration does not begin")
					}
					return err
				})
				row.end(t, c)
				if m := <-over; m == nil {
					t.FailNow()
				} else {
					t.Logf("migration is %s", m.State)
				}
				awaitSessions(t, 0, l.all()...)
				for _, h := range l.all() {
					if records, err := h.module.Migrations(t.Context()); err != nil || len(records) > 0 {
						t.Errorf("%s has records %v, error %v", h.name, records, err)
					}
				}
			})
		}
	}
}

// On links that lose and reorder, too, the bytes come, and nothing is reset.
func TestMigrationsOnBadLinks(t *testing.T) {
	l := useLab(t)
	l.apply(t, "match(dstport=5001) >> {mb1}\n")
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	impair(t, l.all(), "delay", "2ms", "1ms", "loss", "2%", "reorder", "75%", "50%")
	for _, g := range []proto.Guarantee{proto.Guarantee_GUARANTEE_LOSS_FREE, proto.Guarantee_GUARANTEE_ORDERED} {
		t.Run(g.String(), func(t *testing.T) {
			c := client.connect(t, 0, server.port(5001))
			talk(t, c, 10_000)
			p := &chainOfLab{lab: l, t: t, guarantee: g, session: client.session(t, superOf(c))}
			for _, h := range l.all() { // a failed test says who reset what
				h.start(t, "tcpdump", "-i", "any", "-nn", "-tt", "-S", "-l", "tcp[tcpflags] & tcp-rst != 0")
			}
			stop := keepAsking(t, c, 20_000, 1)
			from, to, moved := mb[0], mb[2], 0
			for i := range sampled(3, 100) {
				m := p.begin(replacement(from, to))
				if m.State == "done" {
					from, to = to, from
					moved++
				}
				if len(p.path()) == 0 {
					t.Fatalf("nobody has the session after migration %d, which is %s; what ended: %v", i+1, m.State, p.ended())
				}
				p.settles(mb[0], mb[2])
			}
			stop()
			if moved == 0 {
				t.Error("no migration came to its end")
			}
			t.Logf("%d migrations were done", moved)
			talk(t, c, 10_000)
			if !slices.Contains(p.path(), from) {
				t.Errorf("the session does not pass %s", from.name)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			awaitSessions(t, 0, l.all()...)
		})
	}
}
