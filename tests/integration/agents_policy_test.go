// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"mbchain/proto"
)

// A new policy says what becomes of sessions that live: they go on as they are, get
// their new chain, or are reset.
func TestPolicyForLiveSessions(t *testing.T) {
	l := useLab(t)
	l.apply(t, "match(dstport=5001) >> {mb1}\n")
	e := l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	p := &chainOfLab{lab: l, t: t, session: client.session(t, superOf(c))}
	before := l.lost(t)
	stop := keepTalking(t, c)
	l.apply(t, "match(dstport=5001) >> {mb3} live-sessions migrate\n")
	p.wants(client, mb[2], server)
	l.apply(t, "match(dstport=5001) >> {mb1 -> mb3 -> mb2} live-sessions migrate\n")
	p.wants(client, mb[0], mb[2], mb[1], server)
	l.apply(t, "match(dstport=5001) >> {} live-sessions migrate\n")
	p.wants(client, server)
	l.apply(t, "match(dstport=5001) >> {mb1}\n") // new-only
	stop()
	talk(t, c, 100_000)
	l.lostNone(t, before, proto.Guarantee_GUARANTEE_LOSS_FREE)
	p.wants(client, server)

	if err := c.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	l.apply(t, "match(dstport=5001) >> {mb2} live-sessions reset\n")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNABORTED) {
		t.Errorf("client reads %v, want it aborted", err)
	}
	e.awaitBroken(t, superOf(c).Source, syscall.ECONNRESET)
	awaitSessions(t, 0, l.all()...)
}

// A host asks to be left out of a session, and for another NF in it, as far as the
// policy lets it.
func TestHostsAskForChanges(t *testing.T) {
	l := useLab(t)
	l.apply(t, "match(dstport=5001) >> {mb1 -> mb2} may-leave mb2 may-insert mb4\n")
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	p := &chainOfLab{lab: l, t: t, session: client.session(t, superOf(c))}
	before := l.lost(t)
	stop := keepTalking(t, c)
	id := p.session.ID.String()
	ask := func(h *host, args ...string) (string, error) {
		for _, lh := range l.hosts {
			if lh.host == h {
				return l.command(append([]string{"mbctl", "--agent", lh.Socket, "migrate"}, args...)...)
			}
		}
		t.Fatalf("%s is not of the lab", h.name)
		return "", nil
	}
	refused := func(why string, h *host, args ...string) {
		t.Helper()
		if out, err := ask(h, args...); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s asks %v: %q, error %v, want one that says %q", h.name, args, out, err, why)
		}
	}
	refused("may-leave", mb[0], "leave", id)
	refused("may-insert", mb[1], "request", "mb5", id)
	if out, err := ask(mb[1], "request", "mb4", id); err != nil {
		t.Errorf("ask for mb4: %v: %s", err, out)
	}
	p.wants(client, mb[0], mb[1], mb[3], server)
	if out, err := ask(mb[1], "leave", id); err != nil {
		t.Errorf("ask to leave: %v: %s", err, out)
	}
	p.wants(client, mb[0], mb[3], server)
	stop()
	talk(t, c, 100_000)
	l.lostNone(t, before, proto.Guarantee_GUARANTEE_LOSS_FREE)
}
