// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// away is how long new sessions may still go to an instance that does not work.
var away = time.Duration(slow) * 3 * time.Second

// pair is a type with two middleboxes as its instances.
func (l *lab) pair() string {
	mb1, mb2 := l.hosts[1], l.hosts[2]
	return fmt.Sprintf("type pair { mb1 %v %v, mb2 %v %v }\n", mb1.Address, mb1.Address6, mb2.Address, mb2.Address6)
}

// pairNow returns how the instances of type pair stand. It asks policyd itself: a
// process of mbctl for each look would keep the guest's processors busy.
func (l *lab) pairNow(t *testing.T, nfs protoconnect.NFServiceClient) (list []*proto.NFInstance) {
	t.Helper()
	got, err := nfs.List(t.Context(), &proto.ListNFsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range got.Instances {
		if in.Type == "pair" {
			list = append(list, in)
		}
	}
	if len(list) != 2 {
		t.Fatalf("instances %v, want two", list)
	}
	return list
}

// awaitPair waits until the instances of type pair are in these states, and returns how
// they stand then.
func (l *lab) awaitPair(t *testing.T, states ...string) (now []*proto.NFInstance) {
	t.Helper()
	nfs := protoconnect.NewNFServiceClient(askPolicyd(), "http://policyd")
	eventually(t, soon, func() error {
		now = l.pairNow(t, nfs)
		if now[0].State != states[0] || now[1].State != states[1] {
			return fmt.Errorf("instances stand as %v, want %v", now, states)
		}
		return nil
	})
	return now
}

// hopOf returns the first host that a session of the client passes, if there is one.
func (l *lab) hopOf(t *testing.T, super chain.FiveTuple) (string, bool) {
	t.Helper()
	sessions := l.client().sessions(t)
	i := slices.IndexFunc(sessions, func(s genl.Session) bool { return s.Super == super })
	if i < 0 || len(sessions[i].Hops) == 0 {
		return "", false
	}
	for _, h := range l.all() {
		if h.addr == sessions[i].Hops[0] {
			return h.name, true
		}
	}
	return "", false
}

// opened opens sessions one after the other, for so long since a moment, and returns when
// the last one that went to a host did so, and how many went elsewhere after that.
func (l *lab) opened(t *testing.T, from *host, since time.Time, d time.Duration, port *uint16) (last time.Duration, others int) {
	t.Helper()
	for time.Since(since) < d {
		*port++
		begun := time.Since(since)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(slow)*time.Second)
		c, err := l.client().dial(ctx, l.client().port(*port), l.server().port(5001))
		cancel()
		super := chain.FiveTuple{Source: l.client().port(*port), Destination: l.server().port(5001), Protocol: chain.ProtocolTCP}
		hop, found := l.hopOf(t, super)
		if err == nil {
			reset(t, c)
		}
		switch {
		case found && hop == from.name:
			last, others = begun, 0
		case found && err == nil:
			others++
		}
	}
	return last, others
}

// turns counts how often policyd has found that a host got worse or better.
func (l *lab) turns(t *testing.T, h *host) int {
	t.Helper()
	n := 0
	for line := range strings.Lines(l.run(t, "logs", l.policyd)) {
		if strings.Contains(line, "host="+h.name+" ") && strings.Contains(line, "fit for new sessions") {
			n++
		}
	}
	return n
}

// An agent dies, or a network function: within 3 s new sessions go to the other instance;
// it comes back, and nothing flaps.
func TestNewSessionsTurnAway(t *testing.T) {
	l := useLab(t)
	l.apply(t, l.pair()+"match(dstport=5001) >> {pair}\n")
	l.server().echo(t, 5001)
	t.Cleanup(func() { l.forgetAll(t) })
	mb := l.middleboxes()[0]
	port := uint16(20000)
	rows := []struct {
		name  string
		state string
		begin func(t *testing.T) // before it goes wrong
		fail  func(t *testing.T)
		mend  func(t *testing.T)
	}{
		{"the agent is killed", "silent", func(*testing.T) {},
			func(t *testing.T) { l.run(t, "agent", mb.name, "kill9") },
			func(t *testing.T) { l.run(t, "agent", mb.name, "start") }},
		{"the program on a queue dies", "failed", func(t *testing.T) { l.startQueue(t, mb) },
			func(t *testing.T) { l.endQueue(t, mb) },
			func(t *testing.T) { l.serveQueue(t, mb) }},
	}
	if !soaking() {
		rows = rows[:1]
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			row.begin(t)
			l.awaitPair(t, "ok", "ok")
			turns := l.turns(t, mb)
			row.fail(t)
			began := time.Now()
			last, others := l.opened(t, mb, began, 2*away, &port)
			t.Logf("the last new session went to %s after %v, %d to the other one since", mb.name, last.Round(time.Millisecond), others)
			if last > away || others == 0 {
				t.Errorf("new sessions went to %s for %v, %d elsewhere since", mb.name, last, others)
			}
			l.awaitPair(t, row.state, "ok")
			row.mend(t)
			now := l.awaitPair(t, "ok", "ok")
			if !now[0].Chosen || !now[1].Chosen {
				t.Errorf("instances stand as %+v, want both chosen", now)
			}
			if n := l.turns(t, mb) - turns; n != 2 {
				t.Errorf("%s got worse or better %d times, want twice", mb.name, n)
			}
			if again, _ := l.opened(t, mb, time.Now(), away, &port); again == 0 {
				t.Errorf("no new session went to %s when it was back", mb.name)
			}
		})
	}
}

// probeScript says what the last attempt came to, see probeThrough.
const probeScript = "#!/bin/sh\nread -r word <%s && [ $word = ok ] || { echo no answer through the queue; exit 1; }\n"

// startQueue makes a program on an NFQUEUE the network function of a host, and starts its
// agent with a probe that goes through it: between two namespaces for which the host
// forwards.
func (l *lab) startQueue(t *testing.T, h *host) {
	t.Helper()
	dir := t.TempDir()
	probe, result := filepath.Join(dir, "probe"), filepath.Join(dir, "result")
	if err := os.WriteFile(probe, fmt.Appendf(nil, probeScript, result), 0o755); err != nil {
		t.Fatal(err)
	}
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	for i, name := range []string{"probe-a", "probe-b"} {
		device, net := fmt.Sprintf("probe%d", i), fmt.Sprintf("10.77.%d.", i+1)
		ip("netns", "add", name)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
		ip("-n", h.name, "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", name)
		ip("-n", h.name, "address", "add", net+"1/24", "dev", device)
		ip("-n", h.name, "link", "set", device, "up")
		ip("-n", name, "address", "add", net+"2/24", "dev", "eth0")
		ip("-n", name, "link", "set", "eth0", "up")
		ip("-n", name, "route", "add", "default", "via", net+"1")
	}
	// Supersessions, and the probe's: what the host only routes, to the other instance for
	// one, is none of the function's.
	h.nft(t, "nfq", fmt.Sprintf(`set ends {
		type ipv4_addr; flags interval; elements = { %v, %v, 10.77.0.0/16 }
	}
	chain forward {
		type filter hook forward priority 0; policy accept;
		ip saddr @ends ip daddr @ends meta l4proto tcp queue num %d
	}`, l.client().addr, l.server().addr, nfQueue))
	l.serveQueue(t, h)
	probeThrough(t, result)
	l.run(t, "agent", h.name, "stop")
	l.run(t, "agent", h.name, "start", "--nf-probe", probe, "--nf-process", "dhcpoptinj")
	t.Cleanup(func() {
		_, _ = l.command("agent", h.name, "stop")
		if _, err := l.command("agent", h.name, "start"); err != nil {
			t.Error(err)
		}
	})
}

// probeThrough connects from one namespace to the other ten times a second, until the test
// ends, and writes into a file what came of it. A program that is started for each
// attempt would take too long in an emulated guest.
func probeThrough(t *testing.T, result string) {
	t.Helper()
	from := &host{name: "probe-a", addr: netip.MustParseAddr("10.77.1.2")}
	to := &host{name: "probe-b", addr: netip.MustParseAddr("10.77.2.2")}
	to.echo(t, 7)
	attempt := func() {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		word := "ok"
		c, err := from.dial(ctx, from.port(0), to.port(7))
		if err != nil {
			word = "failed"
		} else {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
		if err := os.WriteFile(result+".new", []byte(word+"\n"), 0o644); err == nil {
			_ = os.Rename(result+".new", result)
		}
	}
	attempt()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-t.Context().Done():
				return
			case <-tick.C:
				attempt()
			}
		}
	}()
	t.Cleanup(func() { <-done })
}

// serveQueue starts the program, which lets pass whatever is no DHCP.
func (l *lab) serveQueue(t *testing.T, h *host) {
	t.Helper()
	h.start(t, "dhcpoptinj", "-f", "-q", fmt.Sprint(nfQueue), "-o", fmt.Sprintf("%X", option))
	eventually(t, soon, func() error {
		_, err := h.queued()
		return err
	})
}

// endQueue kills the program: what is queued, and what comes, is dropped.
func (l *lab) endQueue(t *testing.T, h *host) {
	t.Helper()
	h.run(t, "pkill", "-KILL", "-x", "dhcpoptinj")
}

// A drained host loses its live sessions to another one, and no byte of them.
func TestDrainEmptiesAnInstance(t *testing.T) {
	const n = 8
	l := useLab(t)
	l.apply(t, l.pair()+"match(dstport=5001) >> {pair}\n") // new-only: an operator's drain moves them all the same
	l.server().echo(t, 5001)
	mb1, mb2 := l.middleboxes()[0], l.middleboxes()[1]
	l.awaitPair(t, "ok", "ok")
	passing := 0
	before := l.lost(t)
	var stops []func()
	for range n {
		c := l.client().connect(t, 0, l.server().port(5001))
		talk(t, c, 10_000)
		if hop, _ := l.hopOf(t, superOf(c)); hop == mb1.name {
			passing++
		}
		stops = append(stops, keepAsking(t, c, 20_000, 1))
	}
	t.Logf("%d of %d sessions pass %s", passing, n, mb1.name)
	var drained struct {
		Outcome struct {
			Left   int
			Looked string
		}
	}
	began := time.Now()
	l.mbctl(t, &drained, "nf", "drain", mb1.name, "--wait", "--timeout", fmt.Sprint(late))
	t.Logf("%s is empty after %v", mb1.name, time.Since(began).Round(time.Millisecond))
	if drained.Outcome.Left != 0 || drained.Outcome.Looked == "" {
		t.Errorf("drain ended with %+v", drained)
	}
	eventually(t, soon, func() error {
		for _, s := range mb1.sessions(t) {
			if s.State == chain.StateEstablished {
				return fmt.Errorf("%s carries %v", mb1.name, s.Super)
			}
		}
		return nil
	})
	if got := len(slices.DeleteFunc(mb2.sessions(t), func(s genl.Session) bool { return s.State != chain.StateEstablished })); got != n {
		t.Errorf("%s carries %d sessions, want all %d", mb2.name, got, n)
	}
	port := uint16(30000)
	if last, others := l.opened(t, mb1, time.Now(), time.Duration(slow)*time.Second, &port); last > 0 || others == 0 {
		t.Errorf("a new session went to %s while it is drained; %d elsewhere", mb1.name, others)
	}
	for _, stop := range stops {
		stop()
	}
	l.lostNone(t, before, proto.Guarantee_GUARANTEE_LOSS_FREE)
	l.nobodyIsLeft(t, mb2, &port)
	l.run(t, "mbctl", "nf", "undrain", mb1.name)
	l.awaitPair(t, "ok", "ok")
	if last, _ := l.opened(t, mb1, time.Now(), away, &port); last == 0 {
		t.Errorf("no new session went to %s when it was undrained", mb1.name)
	}
}

// nobodyIsLeft drains the last instance, too: new sessions meet their rule's on-failure.
func (l *lab) nobodyIsLeft(t *testing.T, last *host, port *uint16) {
	t.Helper()
	counter := genl.ReasonNoInstance.String()
	before := l.client().counters(t)[counter]
	l.run(t, "mbctl", "nf", "drain", last.name)
	eventually(t, soon, func() error {
		*port++
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if c, err := l.client().dial(ctx, l.client().port(*port), l.server().port(5001)); err == nil {
			reset(t, c)
			return errors.New("a new session is set up though every instance is drained")
		}
		return nil
	})
	if l.client().counters(t)[counter] == before {
		t.Errorf("counter %s has not risen", counter)
	}
	l.run(t, "mbctl", "nf", "undrain", last.name)
}

// forgetAll deletes the sessions of all hosts: those whose packets were dropped half way
// would stay for a while. It is for the end of a test.
func (l *lab) forgetAll(t *testing.T) {
	t.Helper()
	ctx := context.Background() // the test's own is over
	for _, h := range l.all() {
		sessions, err := h.module.Sessions(ctx)
		if err != nil {
			t.Errorf("list sessions of %s: %v", h.name, err)
		}
		for _, s := range sessions {
			_ = h.module.DeleteSession(ctx, s.ID) // it may end by itself
		}
	}
}
