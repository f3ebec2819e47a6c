// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/chain"
	"mbchain/genl"
)

// grayboxSeed makes the packets of a run; MBCHAIN_SEED is another.
const grayboxSeed = 20261123

// grayboxPackets is how many packets TestGraybox sends, on a kernel that is not
// slow; MBCHAIN_GRAYBOX is another number.
const grayboxPackets = 10_000

// setting is a number from the environment.
func setting(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return n
}

// graybox is a middlebox with live sessions, and somebody beside their client
// who sends what he likes.
type graybox struct {
	*rig
	mb       *host
	stranger *frameSender
	mutator  *mutator
	goldens  []func(i int) packet
	conns    []net.Conn
	datagram *net.UDPConn
	keep     map[chain.SessionID]bool // live sessions
}

// Whatever comes, sessions live on, and the module accounts for each packet
// that it keeps back: with one counter, once.
func TestGraybox(t *testing.T) {
	sent, total := int64(0), amount(setting(t, "MBCHAIN_GRAYBOX", grayboxPackets))
	seed := setting(t, "MBCHAIN_SEED", grayboxSeed)
	modes := []genl.NFMode{genl.NFInline, genl.NFNone}
	for i, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			eachFamily(t, func(t *testing.T, f family) {
				g := newGraybox(t, f, mode, rand.New(rand.NewPCG(uint64(seed), uint64(i)<<8|uint64(f.number))))
				sent += g.attack(t, total/4)
			})
		})
	}
	t.Logf("graybox: %d packets with seed %d", sent, seed)
	noComplaints(t)
}

func newGraybox(t *testing.T, f family, mode genl.NFMode, random *rand.Rand) *graybox {
	const port = 5001
	r := newRigOf(t, f, 2)
	g := &graybox{rig: r, mb: r.middleboxes()[0], mutator: &mutator{Rand: random}, keep: make(map[chain.SessionID]bool)}
	stranger := r.attach(t)
	for _, h := range r.hosts {
		h.configure(t, genl.Config{ // a forged RST or silence ends no session while this lasts
			CloseTimeout: 10 * time.Minute, UDPTimeout: time.Hour, UDPStreamTimeout: time.Hour,
		})
	}
	// Few, so that strangers meet full tables too.
	g.mb.configure(t, genl.Config{MaxSessions: 40, Freshness: time.Second})
	g.mb.attachNF(t, genl.NF{Mode: mode})
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n", r.client())
	r.agentsOn(t, r.client())
	r.server().echo(t, port)
	r.server().answer(t, port)

	for range 2 {
		tap := r.client().capture(t)
		c := r.client().connect(t, 0, r.server().port(port))
		g.conns = append(g.conns, c)
		g.live(t, superOf(c))
		g.mutator.apart = append(g.mutator.apart, findSYN(t, tap, g.mb.addr).seq(), findSYNACK(t, tap).seq())
	}
	g.datagram = r.client().datagrams(t, 0, nil)
	if err := exchange(g.datagram, r.server().port(port), 100); err != nil {
		t.Fatal(err)
	}
	g.live(t, udpSuper(g.datagram, r.server().port(port)))
	g.harmlessRows(t)
	g.stranger = stranger.frameSender(t, "right", g.mb.hardware(t, "side"))
	return g
}

// live notes a session of the middlebox, and makes good packets of it.
func (g *graybox) live(t *testing.T, super chain.FiveTuple) {
	t.Helper()
	s := g.mb.session(t, super)
	g.keep[s.ID] = true
	for _, tuple := range []chain.FiveTuple{s.Left.Tuple, s.Right.Tuple.Reverse()} {
		g.goldens = append(g.goldens,
			func(int) packet { return g.data(tuple) },
			func(int) packet { return g.data(tuple) },
			func(i int) packet { return g.data(tuple).piece(g.mutator, i) },
			func(int) packet { return g.trouble(tuple.Reverse()) })
	}
}

// data is a packet of a session: to the connection's ends one from far outside
// its window.
func (g *graybox) data(tuple chain.FiveTuple) packet {
	payload := make([]byte, 16+g.mutator.IntN(300))
	if tuple.Protocol == chain.ProtocolUDP {
		return datagram{tuple: tuple, payload: payload}.packet()
	}
	flags := []byte{flagACK, flagACK | flagPSH, flagACK | flagFIN, flagRST, flagRST | flagACK, flagSYN, flagSYN | flagACK, 0, 0xff}
	return segment{tuple: tuple, flags: flags[g.mutator.IntN(len(flags))], seq: g.mutator.farSeq(), payload: payload}.packet()
}

// piece is a fragment of a packet; the next one may be of the same.
func (p packet) piece(m *mutator, i int) packet {
	pieces := p.fragments(uint16(i/2%8), 0, 24)
	return pieces[m.IntN(len(pieces))]
}

// trouble is an ICMP error about a packet of the session.
func (g *graybox) trouble(about chain.FiveTuple) packet {
	quote := segment{tuple: about, flags: flagACK, seq: g.mutator.farSeq(), payload: make([]byte, 64)}.packet()
	if about.Protocol == chain.ProtocolUDP {
		quote = datagram{tuple: about, payload: make([]byte, 64)}.packet()
	}
	kinds, word := []byte{3, 3, 11, 12, 5, 8}, uint32(0)
	if g.number == ipv6.number {
		kinds = []byte{1, 2, 3, 4, 128, 137}
	}
	kind := kinds[g.mutator.IntN(len(kinds))]
	if kind < 4 {
		word = 1400
	}
	return trouble{from: about.Destination.Addr(), to: about.Source.Addr(), kind: kind, code: byte(g.mutator.IntN(5)), word: word, quote: quote}.packet()
}

// harmlessRows adds packets of no live session: SYNs with all sorts of set-up
// headers, those that others may not send too, and what just passes by.
func (g *graybox) harmlessRows(t *testing.T) {
	t.Helper()
	rows := craft(g.rig)
	setup := func(i int, change func(*header)) packet {
		h := newHeader(byte(i), chain.FiveTuple{
			Source: g.client().port(uint16(20000 + i%1000)), Destination: g.server().port(80), Protocol: chain.ProtocolTCP,
		}, hops(g.mb, g.server()))
		for j := range h.id {
			h.id[j] = byte(g.mutator.Uint32())
		}
		change(&h)
		return segment{
			tuple: chain.FiveTuple{Source: g.client().port(uint16(30000 + i%1000)), Destination: g.mb.port(2000)},
			flags: flagSYN, seq: g.mutator.farSeq(), payload: h.bytes(),
		}.packet()
	}
	hosts := []netip.Addr{g.mb.addr, g.server().addr, g.client().addr, oddAddrs(g.family).stranger}
	random := func(h *header) { // what only who has a key can send
		h.nHops, h.family, h.protocol = byte(g.mutator.IntN(20)), []byte{4, 6, 0, 255}[g.mutator.IntN(4)], byte(g.mutator.IntN(20))
		h.length += uint16(g.mutator.IntN(3)) - 1
	}
	lost := func(h *header) {
		var list []netip.Addr
		for range 1 + g.mutator.IntN(5) {
			list = append(list, hosts[g.mutator.IntN(len(hosts))])
		}
		h.setHops(list...)
	}
	pass := func(protocol uint8) packet {
		tuple := chain.FiveTuple{Source: g.client().port(1000), Destination: g.server().port(80), Protocol: protocol}
		return g.data(tuple)
	}
	for range 3 {
		g.goldens = append(g.goldens,
			func(i int) packet { j := g.mutator.IntN(len(rows)); return rows[j].syn(g.rig, j) },
			func(i int) packet { return setup(i, func(*header) {}) },
			func(i int) packet { return setup(i, random) },
			func(i int) packet { return setup(i, lost) })
	}
	g.goldens = append(g.goldens,
		func(int) packet { return pass(chain.ProtocolTCP) },
		func(int) packet { return pass(chain.ProtocolUDP) })
}

// attack sends n malformed packets while the sessions' own data passes, and
// returns n.
func (g *graybox) attack(t *testing.T, n int64) int64 {
	const round = 1000
	quiet(t)
	before, marks := g.mb.counters(t), g.marks(t)
	for sent := int64(0); sent < n; sent += round {
		answered := make(chan error, len(g.conns))
		for _, c := range g.conns {
			go func() { answered <- ask(c, 32<<10) }()
		}
		g.send(t, sent, min(round, n-sent))
		for range g.conns {
			if err := <-answered; err != nil {
				t.Fatalf("after %d packets: %v", sent, err)
			}
		}
		g.sweep(t)
	}
	g.account(t, n, before, marks)
	g.alive(t)
	return n
}

func (g *graybox) send(t *testing.T, from, n int64) {
	t.Helper()
	protocols := []uint16{unix.ETH_P_IP, unix.ETH_P_IPV6}
	for i := range n {
		protocol := protocols[0]
		if g.number == ipv6.number {
			protocol = protocols[1]
		}
		if g.mutator.IntN(200) == 0 {
			protocol = protocols[g.mutator.IntN(2)]
		}
		p := g.goldens[g.mutator.IntN(len(g.goldens))](int(from + i))
		g.stranger.add(protocol, g.mutator.mutate(p))
		if len(g.stranger.frames) == frameBatch || i == n-1 {
			if err := g.stranger.flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// sweep deletes the sessions that strangers have opened, so that there is room
// for others.
func (g *graybox) sweep(t *testing.T) {
	t.Helper()
	for _, s := range g.mb.sessions(t) {
		if !g.keep[s.ID] {
			_ = g.mb.module.DeleteSession(t.Context(), s.ID) // it may be gone
		}
	}
}

// alive fails the test unless every session is still there, and of use.
func (g *graybox) alive(t *testing.T) {
	t.Helper()
	for _, c := range g.conns {
		talk(t, c, 100_000)
		g.chained(t, g.client().session(t, superOf(c)), g.hosts...)
	}
	to := g.server().port(5001)
	eventually(t, soon, func() error { return g.exchange(to) })
	g.chained(t, g.client().session(t, udpSuper(g.datagram, to)), g.hosts...)
}

// exchange is one that may be lost, or come behind answers to others.
func (g *graybox) exchange(to netip.AddrPort) error {
	data := []byte(fmt.Sprint("anybody there? ", time.Now().UnixNano()))
	if _, err := g.datagram.WriteToUDPAddrPort(data, to); err != nil {
		return err
	}
	if err := g.datagram.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	for buffer := make([]byte, 1<<16); ; {
		n, _, err := g.datagram.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return fmt.Errorf("receive answer: %w", err)
		}
		if string(buffer[:n]) == string(data) {
			return nil
		}
	}
}

// marks sets up counters before and behind the module's hooks, and of what comes
// from the stranger.
func (g *graybox) marks(t *testing.T) marks {
	t.Helper()
	g.mb.nft(t, "marks", `
		counter in_before { }
		counter in_behind { }
		counter out_before { }
		counter out_behind { }
		chain a { type filter hook prerouting priority -401; counter name in_before; }
		chain b { type filter hook prerouting priority -398; counter name in_behind; }
		chain c { type filter hook postrouting priority 2147483645; counter name out_before; }
		chain d { type filter hook postrouting priority 2147483647; counter name out_behind; }`)
	g.mb.nft(t, "netdev wire", fmt.Sprintf(`
		counter came { }
		counter wire_before { }
		counter wire_behind { }
		chain e { type filter hook ingress device "side" priority 0; ether saddr %s counter name came; }
		chain f { type filter hook ingress devices = { left, right, side } priority 2147483645; counter name wire_before; }
		chain g { type filter hook ingress devices = { left, right, side } priority 2147483647; counter name wire_behind; }`,
		frameSource))
	return g.marked(t)
}

// marks are what the counters of nftables say.
type marks struct {
	came int64 // of the stranger's packets
	kept int64 // packets that the module's hooks kept back
}

var namedCounter = regexp.MustCompile(`counter (\w+) \{\s+packets (\d+) `)

func (g *graybox) marked(t *testing.T) marks {
	t.Helper()
	n := make(map[string]int64)
	for _, found := range namedCounter.FindAllStringSubmatch(g.mb.run(t, "nft", "list", "counters"), -1) {
		n[found[1]], _ = strconv.ParseInt(found[2], 10, 64) // digits
	}
	if len(n) != 7 {
		t.Fatalf("read counters of nftables: found %v, want 7", n)
	}
	return marks{n["came"], n["wire_before"] - n["wire_behind"] +
		n["in_before"] - n["in_behind"] + n["out_before"] - n["out_behind"]}
}

// keepers are the counters of packets that do not go on, or not the usual way.
var keepers = []genl.Reason{
	genl.ReasonHdrStale, genl.ReasonHdrReplay, genl.ReasonHdrTuple, genl.ReasonHdrReceiver, genl.ReasonHdrLoop,
	genl.ReasonNoKey, genl.ReasonNoRoute, genl.ReasonNoPort, genl.ReasonNoMemory, genl.ReasonTableFull, genl.ReasonSeenFull,
	genl.ReasonSYNTooLong, genl.ReasonTupleTaken, genl.ReasonBlocked, genl.ReasonBadPacket, genl.ReasonNotWritable, genl.ReasonRouteGone,
	genl.ReasonHeld, genl.ReasonHoldFull, genl.ReasonTooBig, genl.ReasonFragmentHeld, genl.ReasonExpress,
	genl.ReasonRedirected, genl.ReasonRedirectGone,
}

// account waits until all packets have come, and wants the module's counters to
// have risen by as many as it kept back.
func (g *graybox) account(t *testing.T, n int64, before counters, marks marks) {
	t.Helper()
	eventually(t, soon, func() error {
		marked, risen := g.marked(t), g.mb.counters(t).since(before)
		var counted int64
		for _, reason := range keepers {
			counted += int64(risen[reason.String()])
		}
		if came := marked.came - marks.came; came != n {
			return fmt.Errorf("%d of %d packets came", came, n)
		}
		if kept := marked.kept - marks.kept; kept != counted {
			return fmt.Errorf("the module kept %d packets back and counted %d: %v", kept, counted, risen)
		}
		return nil
	})
	t.Logf("counters of %s rose by %v", g.mb.name, g.mb.counters(t).since(before))
}

// quiet makes room where packets wait between two hosts, so that none is lost
// there until the test ends.
func quiet(t *testing.T) {
	t.Helper()
	const path = "/proc/sys/net/core/netdev_max_backlog"
	old, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte("100000"), 0)
	}
	if err != nil {
		t.Fatalf("set the length of queues: %v", err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, old, 0); err != nil {
			t.Errorf("set the length of queues back: %v", err)
		}
	})
}
