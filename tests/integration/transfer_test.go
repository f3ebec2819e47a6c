// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"mbchain/genl"
)

// conditions are what a transfer goes through.
type conditions struct {
	chain     int // middleboxes
	size      int64
	offloads  bool
	conntrack bool // on every middlebox
	loss      bool // 1 % in each direction of the second link
}

func (c conditions) String() string {
	s := fmt.Sprintf("chain of %d, %d MiB", c.chain, c.size/mib)
	for _, d := range []struct {
		is   bool
		what string
	}{{!c.offloads, "no offloads"}, {c.conntrack, "conntrack"}, {c.loss, "loss 1 %"}} {
		if d.is {
			s += ", " + d.what
		}
	}
	return s
}

// sample is what every test run does.
var sample = []conditions{
	{chain: 2, size: 256 * mib, offloads: true},
	{chain: 1, size: 64 * mib, offloads: true, conntrack: true},
	{chain: 5, size: 64 * mib, offloads: true},
	{chain: 2, size: 16 * mib, conntrack: true},
	{chain: 5, size: 16 * mib},
	{chain: 2, size: 16 * mib, offloads: true, loss: true},
	{chain: 1, size: 4 * mib, conntrack: true, loss: true},
}

// matrix is every combination; hours, without offloads and with loss.
func matrix() (all []conditions) {
	for _, chain := range []int{1, 2, 5} {
		for _, offloads := range []bool{true, false} {
			for _, conntrack := range []bool{false, true} {
				for _, loss := range []bool{false, true} {
					all = append(all, conditions{chain: chain, size: 256 * mib,
						offloads: offloads, conntrack: conntrack, loss: loss})
				}
			}
		}
	}
	return all
}

// What goes in at one end comes out at the other, in both directions.
func TestTransfer(t *testing.T) {
	l := useLab(t)
	w := l.serve(t)
	rows := sample
	if os.Getenv("MBCHAIN_SOAK") == "1" {
		rows = matrix()
	}
	made := make(map[string]bool)
	for _, c := range rows {
		t.Run(c.String(), func(t *testing.T) {
			l.apply(t, fmt.Sprintf("match(dstport=%d) >> %s\n", webPort, l.chain(c.chain)))
			l.impose(t, c)
			name := fmt.Sprint(c.size)
			if !made[name] {
				w.file(t, name, c.size)
				made[name] = true
			}
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
			for _, mb := range l.middleboxes()[:c.chain] {
				if got := mb.counters(t)["bad_packet"]; got != 0 {
					t.Errorf("bad_packet of %s is %d, want 0", mb.name, got)
				}
			}
			awaitSessions(t, 0, l.all()...)
		})
	}
}

// impose makes the conditions those of the lab until the test ends.
func (l *lab) impose(t *testing.T, c conditions) {
	t.Helper()
	if !c.offloads {
		l.offloads(t, "off")
		t.Cleanup(func() { l.offloads(t, "on") })
	}
	if c.conntrack {
		for _, mb := range l.middleboxes() {
			mb.nft(t, "track", "chain c { type filter hook forward priority 0; ct state invalid counter drop; ct state new,established counter accept; }")
		}
	}
	if c.loss {
		impair(t, l.all()[1:3], "loss", "1%")
	}
}

func (l *lab) offloads(t *testing.T, state string) {
	t.Helper()
	l.everyLink(t, "ethtool", func(device string) []string {
		return []string{"-K", device, "rx", state, "tx", state, "sg", state, "tso", state, "gso", state, "gro", state}
	})
}

// Five hundred sessions at once, each with its own bytes.
func TestManySessionsAtOnce(t *testing.T) {
	const (
		port     = 5001
		sessions = 500
		dialers  = 8
	)
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=%d) >> %s\n", port, l.chain(2)))
	path := append(l.all()[:3:3], l.server())
	e := l.server().echo(t, port)
	before := l.client().counters(t)

	type result struct {
		conn interface{ Close() error }
		err  error
	}
	turns, results := make(chan struct{}, dialers), make(chan result, sessions)
	talkNow := make(chan struct{})
	begun := time.Now()
	for range sessions {
		go func() {
			turns <- struct{}{}
			c, err := l.client().dial(t.Context(), l.client().port(0), e.port(port))
			<-turns
			if err != nil {
				results <- result{err: err}
				return
			}
			results <- result{conn: c}
			<-talkNow
			results <- result{conn: c, err: ask(c, 20_000)}
		}()
	}
	for range sessions {
		if r := <-results; r.err != nil {
			t.Fatal(r.err)
		}
	}
	t.Logf("%d sessions set up in %v", sessions, time.Since(begun).Round(time.Millisecond))
	awaitSessions(t, sessions, path...)
	listed := make(map[[16]byte]bool)
	for _, s := range l.client().sessions(t) {
		listed[s.ID] = true
	}
	if len(listed) != sessions {
		t.Errorf("%d ids, want %d", len(listed), sessions)
	}

	close(talkNow)
	for range sessions {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
		}
		if r.conn != nil {
			_ = r.conn.Close()
		}
	}
	awaitSessions(t, 0, l.all()...)
	risen := l.client().counters(t).since(before)
	if risen["setup_started"] != sessions || risen["end_fin"] != sessions {
		t.Errorf("counters of the client rose by %v, want %d set up and ended by FIN", risen, sessions)
	}
}

// iperf3 both ways, with several streams.
func TestIperf(t *testing.T) {
	l := useLab(t)
	l.apply(t, "match(dstport=5201) >> "+l.chain(2)+"\n")
	l.server().start(t, "iperf3", "--server", "--bind", l.server().addr.String())
	path := append(l.all()[:3:3], l.server())
	for _, direction := range []string{"--format=m", "--reverse"} {
		var before []counters
		for _, h := range path {
			before = append(before, h.counters(t))
		}
		var out string
		eventually(t, soon, func() (err error) {
			out, err = l.client().output(exec.Command("iperf3", "--client", l.server().addr.String(), "--parallel", "4", "--time", "2", direction))
			return err
		})
		t.Log(lastLines(out, 4))
		for i, h := range path {
			risen := h.counters(t).since(before[i])
			kind := genl.ReasonSetupAccepted
			if i == 0 {
				kind = genl.ReasonSetupStarted
			}
			if risen[kind.String()] < 5 {
				t.Errorf("%s of %s rose by %d, want 5: control and 4 streams", kind, h.name, risen[kind.String()])
			}
		}
		awaitSessions(t, 0, l.all()...)
	}
}
