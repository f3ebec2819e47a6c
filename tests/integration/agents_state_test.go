// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mbchain/chain"
	"mbchain/proto"
)

// Stateful firewalls take a session over from each other, back and forth, under load:
// each drops what it has not seen begin, so the flow's entry must be there before the
// first packet.
func TestFirewallsTakeOver(t *testing.T) { eachFamily(t, testFirewallsTakeOver) }

func testFirewallsTakeOver(t *testing.T, f family) {
	whole := useLab(t)
	whole.apply(t, "match(dstport=5001) >> {mb1}\n")
	l := whole.of(f)
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	walls := []*host{mb[0], mb[2]}
	for _, h := range walls {
		h.wall(t)
	}
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	super := superOf(c)
	p := &chainOfLab{
		lab: l, t: t, session: client.session(t, super),
		guarantee: proto.Guarantee_GUARANTEE_ORDERED, state: proto.StateMethod_STATE_METHOD_CONNTRACK,
	}
	before := l.lost(t)
	stop := keepTalking(t, c)
	for i := range int(sampled(3, 50)) {
		from, to := walls[i%2], walls[(i+1)%2]
		p.replace(from, to)
		if !to.tracks(t, super) {
			t.Errorf("%s does not track the session after migration %d", to.name, i+1)
		}
		p.free(from)
		eventually(t, soon, func() error {
			if from.tracks(t, super) {
				return fmt.Errorf("%s still tracks the session after migration %d", from.name, i+1)
			}
			return nil
		})
	}
	stop()
	talk(t, c, 100_000)
	l.lostNone(t, before, p.guarantee)
	for _, h := range walls {
		if n := h.refused(t); n > 0 {
			t.Errorf("the firewall on %s has dropped %d packets", h.name, n)
		}
	}
}

// wall makes a host's forwarding a firewall for port 5001, which lets in what it has seen
// begin and drops all else.
func (h *host) wall(t *testing.T) {
	t.Helper()
	h.nft(t, "wall", `chain forward {
		type filter hook forward priority 0;
		tcp dport 5001 jump session
		tcp sport 5001 jump session
	}
	chain session {
		ct state established accept
		ct state new tcp flags & (syn | ack) == syn accept
		counter drop
	}`)
	h.set(t, "netfilter/nf_conntrack_tcp_loose", "0")
}

// refused is how many packets a wall has dropped.
func (h *host) refused(t *testing.T) (n int) {
	t.Helper()
	rules := h.run(t, "nft", "list", "chain", "inet", "wall", "session")
	at := strings.Index(rules, "counter packets ")
	if _, err := fmt.Sscanf(rules[max(at, 0):], "counter packets %d", &n); err != nil {
		t.Fatalf("read counter of %s: %v", rules, err)
	}
	return n
}

// tracks reports whether connection tracking of a host has a session as established.
func (h *host) tracks(t *testing.T, super chain.FiveTuple) bool {
	t.Helper()
	out, err := h.output(exec.Command("conntrack", "-G", "-p", "tcp",
		"--src", super.Source.Addr().String(), "--dst", super.Destination.Addr().String(),
		"--sport", fmt.Sprint(super.Source.Port()), "--dport", fmt.Sprint(super.Destination.Port())))
	return err == nil && strings.Contains(out, "ESTABLISHED") && strings.Contains(out, "ASSURED")
}

// What an operator's program says of its NF's state goes to the other host; when it fails
// or takes too long, all stays as it was.
func TestProgramsMoveState(t *testing.T) {
	l := useLab(t)
	l.apply(t, "match(dstport=5001) >> {mb1}\n")
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	dir := t.TempDir()
	// Its state is a file for each session and host; "fails" and "sleeps" say what import does.
	program := filepath.Join(dir, "nf-state")
	if err := os.WriteFile(program, []byte(fmt.Sprintf(`#!/bin/sh
cd %s || exit 1
me=$(ip netns identify)
case $1 in
export) cat "$me.$4" ;;
import)
	[ ! -e fails ] || { echo no room >&2; exit 1; }
	[ ! -e sleeps ] || exec sleep 60
	cat >"$me.$4" ;;
drop) rm -f "$me.$4" ;;
esac
`, dir)), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*host{mb[0], mb[2]} {
		l.run(t, "agent", h.name, "stop")
		l.run(t, "agent", h.name, "start", "--nf-state", program)
		t.Cleanup(func() {
			l.run(t, "agent", h.name, "stop")
			l.run(t, "agent", h.name, "start")
		})
	}
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	p := &chainOfLab{
		lab: l, t: t, session: client.session(t, superOf(c)),
		guarantee: proto.Guarantee_GUARANTEE_ORDERED, state: proto.StateMethod_STATE_METHOD_EXEC,
	}
	file := func(h *host) string {
		return filepath.Join(dir, fmt.Sprintf("%s.%d", h.netns(t), superOf(c).Source.Port()))
	}
	const state = "seen: 100000 bytes"
	if err := os.WriteFile(file(mb[0]), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	before := l.lost(t)
	stop := keepTalking(t, c)
	// A program may take its time in a slow guest, if it is not to sleep.
	troubles := map[string]uint32{"fails": patientMs}
	if soaking() {
		troubles["sleeps"] = 1000 // eight tries of that
	}
	for trouble, patience := range troubles {
		if err := os.WriteFile(filepath.Join(dir, trouble), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r := replacement(mb[0], mb[2])
		r.StateMethod, r.PatienceMs = p.state, patience
		m := p.begin(r)
		if m.State != "failed" || trouble == "fails" && m.GetWhy().GetReason() != "nf_state" {
			t.Errorf("the program %s: migration is %v", trouble, m)
		}
		p.settles(mb[0], mb[0])
		if err := os.Remove(filepath.Join(dir, trouble)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file(mb[0])); err != nil || string(got) != state {
			t.Errorf("the program %s: state is %q, error %v", trouble, got, err)
		}
	}
	p.replace(mb[0], mb[2])
	stop()
	talk(t, c, 100_000)
	l.lostNone(t, before, p.guarantee)
	if got, err := os.ReadFile(file(mb[2])); err != nil || string(got) != state {
		t.Errorf("state that came is %q, error %v, want %q", got, err, state)
	}
	eventually(t, soon, func() error {
		if _, err := os.Stat(file(mb[0])); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("state that went is still there: %v", err)
		}
		return nil
	})
}

// netns is what a program on the host sees as the name of its namespace.
func (h *host) netns(t *testing.T) string {
	t.Helper()
	return h.run(t, "ip", "netns", "identify")
}

// The host that is to come dies in the middle, with its kernel. The session goes on
// over the old path.
func TestNewHostDies(t *testing.T) {
	l := useLab(t)
	l.apply(t, "match(dstport=5001) >> {mb1}\n")
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	tried := []proto.Guarantee{proto.Guarantee_GUARANTEE_ORDERED}
	if soaking() {
		tried = append(tried, proto.Guarantee_GUARANTEE_LOSS_FREE)
	}
	for _, g := range tried {
		t.Run(g.String(), func(t *testing.T) {
			c := client.connect(t, 0, server.port(5001))
			talk(t, c, 100_000)
			p := &chainOfLab{lab: l, t: t, guarantee: g, session: client.session(t, superOf(c))}
			stop := keepTalking(t, c)
			// It still routes: the lab is a row. But nothing comes to itself any more.
			dead := mb[2]
			dead.nft(t, "netdev dead", fmt.Sprintf(`chain left { type filter hook ingress device left priority 0; ip daddr %[1]v drop; }
				chain right { type filter hook ingress device right priority 0; ip daddr %[1]v drop; }`, dead.addr))
			r := replacement(mb[0], dead)
			r.PatienceMs = 1000
			over := make(chan *proto.Migration, 1)
			go func() { over <- p.begin(r) }()
			m := <-over
			if m == nil {
				t.FailNow()
			}
			if m.State != "failed" || m.GetWhy().GetReason() != "no_answer" {
				t.Errorf("migration is %v", m)
			}
			stop()
			talk(t, c, 100_000)
			dead.run(t, "nft", "delete", "table", "netdev", "dead")
			p.settles(mb[0], mb[0])
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			awaitSessions(t, 0, l.all()...)
		})
	}
}
