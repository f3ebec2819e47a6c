// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// shown is what mbctl session show prints in JSON, as far as it is used here.
type shown struct {
	Session struct {
		ID       string
		State    string
		Complete bool
		Hosts    []struct{ Name, Address, Role string }
		Notes    []string

		Subsessions []struct{ Left, Right shownSide }
	}
}

type shownSide struct {
	Tuple      shownTuple
	InPackets  uint64 `json:"in_packets"`
	InBytes    uint64 `json:"in_bytes"`
	OutPackets uint64 `json:"out_packets"`
	OutBytes   uint64 `json:"out_bytes"`
}

type shownTuple struct {
	Source          netip.Addr
	SourcePort      uint16 `json:"source_port"`
	Destination     netip.Addr
	DestinationPort uint16 `json:"destination_port"`
}

func (s shownTuple) tuple() chain.FiveTuple {
	return chain.FiveTuple{
		Source:      netip.AddrPortFrom(s.Source, s.SourcePort),
		Destination: netip.AddrPortFrom(s.Destination, s.DestinationPort),
		Protocol:    chain.ProtocolTCP,
	}
}

// Between hosts nobody sees the client's and the server's tuple; on every host
// everybody does.
func TestWireAndHostsSeeDifferentTuples(t *testing.T) {
	const (
		port = 5001
		from = 43000
	)
	l := useLab(t)
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
				ip saddr %[1]s tcp sport %[2]d ip daddr %[3]s tcp dport %[4]d counter name right accept
				ip saddr %[3]s tcp sport %[4]d ip daddr %[1]s tcp dport %[2]d counter name left accept
				meta l4proto tcp counter name other
			}`, client.addr, from, server.addr, port))
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
			out := mb.run(t, "nft", "list", "counters", "table", "ip", "witness")
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

// checkShown compares what mbctl draws with what the modules know.
func (l *lab) checkShown(t *testing.T, show shown, id chain.SessionID) {
	t.Helper()
	if !show.Session.Complete || show.Session.ID != id.String() || show.Session.State != "established" {
		t.Errorf("session is %+v, want %v complete and established", show.Session, id)
	}
	if len(show.Session.Notes) > 0 {
		t.Errorf("it has notes: %q", show.Session.Notes)
	}
	var names, want []string
	for _, h := range show.Session.Hosts {
		names = append(names, h.Name)
	}
	for _, h := range l.hosts {
		want = append(want, h.name)
	}
	if diff := gocmp.Diff(want, names); diff != "" {
		t.Fatalf("hosts (-want +got):\n%s", diff)
	}
	for i, sub := range show.Session.Subsessions {
		left, err := l.hosts[i].module.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		right, err := l.hosts[i+1].module.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if got := sub.Left.Tuple.tuple(); got != left.Right.Tuple || got != right.Left.Tuple || got != sub.Right.Tuple.tuple() {
			t.Errorf("subsession %d is %v, want that of both hosts: %v, %v", i+1, got, left.Right.Tuple, right.Left.Tuple)
		}
		// Everything that was sent has come: the session is silent now.
		sent, came := sub.Left, sub.Right
		if sent.OutPackets != came.InPackets || sent.OutBytes != came.InBytes ||
			came.OutPackets != sent.InPackets || came.OutBytes != sent.InBytes {
			t.Errorf("subsession %d: %s counts %+v, %s counts %+v, want equal figures", i+1, l.hosts[i].name, sent, l.hosts[i+1].name, came)
		}
	}
}

// Traffic that no rule matches arrives as it was sent, but for TTL and IP
// checksum, and no matter that there is a policy.
func TestUnmatchedTrafficIsUntouched(t *testing.T) {
	const port = 5009
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=5001) >> %s\nmatch(dstport=5010) >> {}\n", l.chain(2)))
	client, server := l.client(), l.server()
	server.echo(t, port)
	server.echo(t, 5010)
	before := client.counters(t)

	tapped := []*capture{client.capture(t), server.capture(t)}
	c := client.connect(t, 0, server.port(port))
	talk(t, c, 300_000)
	reset(t, c)
	// A rule without a chain.
	c = client.connect(t, 0, server.port(5010))
	talk(t, c, 1000)
	reset(t, c)
	// Something like a set-up header, past a host that it is not for.
	odd := newHeader(1, superOf(c), hops(server))
	syn := segment{
		tuple: chain.FiveTuple{Source: client.port(30001), Destination: server.port(port + 1)},
		flags: flagSYN, seq: 1, payload: append(odd.bytes(), "more"...),
	}.packet()
	fragment := segment{
		tuple: chain.FiveTuple{Source: client.port(30002), Destination: server.port(port + 1)},
		flags: flagACK, fragment: 0x2000, payload: make([]byte, 44),
	}.packet()
	if err := client.send(syn, fragment); err != nil {
		t.Fatal(err)
	}
	client.run(t, "ping", "-c", "2", "-i", "0.2", server.addr.String())
	udp := sendUDP(t, client, server.port(port), bytes.Repeat([]byte("datagram "), 100))

	var sent, came [2][]packet // by direction: to the right, to the left
	eventually(t, soon, func() error {
		for i, tap := range tapped {
			for _, p := range tap.packets(t) {
				if p.device == "mgmt" {
					continue
				}
				rightward := p.source() == client.addr
				switch {
				case rightward && i == 0, !rightward && i == 1:
					sent[direction(rightward)] = append(sent[direction(rightward)], p.packet)
				default:
					came[direction(rightward)] = append(came[direction(rightward)], p.packet)
				}
			}
		}
		for d := range sent {
			if len(sent[d]) != len(came[d]) {
				return fmt.Errorf("%d packets were sent and %d came", len(sent[d]), len(came[d]))
			}
		}
		if !slices.ContainsFunc(came[0], func(p packet) bool { return bytes.HasSuffix(p, udp) }) {
			return fmt.Errorf("the datagram is not among %d packets", len(came[0]))
		}
		return nil
	})
	for d := range sent {
		order(sent[d])
		order(came[d])
		for i := range sent[d] {
			if diff := gocmp.Diff(settle(sent[d][i]), settle(came[d][i])); diff != "" {
				t.Fatalf("packet %d of direction %d changed on its way (-sent +came):\n%s", i, d, diff)
			}
		}
		t.Logf("%d packets of direction %d came as they went", len(sent[d]), d)
	}
	if got := client.counters(t).since(before); got["setup_started"] != 0 || got["rewritten_out"] != 0 {
		t.Errorf("counters of the client rose by %v, want nothing started or rewritten", got)
	}
}

func direction(rightward bool) int {
	if rightward {
		return 0
	}
	return 1
}

// settle takes away what every router changes.
func settle(p packet) packet {
	p = slices.Clone(p)
	p[8], p[10], p[11] = 0, 0, 0
	return p
}

// order sorts packets, as two processors may handle them in another order.
func order(packets []packet) {
	slices.SortStableFunc(packets, func(a, b packet) int {
		return cmp.Or(bytes.Compare(settle(a), settle(b)), 0)
	})
}

// sendUDP sends one datagram and returns its payload.
func sendUDP(t *testing.T, h *host, to netip.AddrPort, payload []byte) []byte {
	t.Helper()
	err := h.in(func() error {
		c, err := net.Dial("udp4", to.String())
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_, err = c.Write(payload)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// What the server's stack gets for a SYN is what the client's made: no header,
// its own addresses, all options.
func TestServerGetsTheClientsSYN(t *testing.T) {
	const (
		chainedPort = 5001
		plain       = 5009
	)
	r := newRig(t, 2)
	client, server := r.client(), r.server()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n")

	// saved connects and returns the SYN as the server's socket kept it.
	saved := func(port uint16) packet {
		l := server.listen(t, port)
		onSocket(t, l, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SAVE_SYN, 1) })
		client.connect(t, 0, server.port(port))
		if err := l.SetDeadline(time.Now().Add(soon)); err != nil {
			t.Fatal(err)
		}
		c, err := l.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		var syn packet
		onSocket(t, c, func(fd int) (err error) {
			syn, err = savedSYN(fd)
			return err
		})
		if from := c.RemoteAddr().(*net.TCPAddr).AddrPort(); syn.tuple().Source != from {
			t.Errorf("SYN is from %v, accept says %v", syn.tuple().Source, from)
		}
		return syn
	}
	want, got := saved(plain), saved(chainedPort)
	if n := server.info(t).Sessions; n != 1 {
		t.Fatalf("%d sessions, want 1", n)
	}
	if got.source() != client.addr || got.destination() != server.addr {
		t.Errorf("SYN is %v, want it from %v to %v", got.tuple(), client.addr, server.addr)
	}
	if len(got) != len(want) || len(got.payload()) != 0 {
		t.Errorf("SYN has %d bytes and %d of payload, want %d and none", len(got), len(got.payload()), len(want))
	}
	if a, b := optionKinds(want), optionKinds(got); !slices.Equal(a, b) {
		t.Errorf("SYN has the options %d, want %d", b, a)
	}
}

// savedSYN reads TCP_SAVED_SYN, which package unix has no function for.
func savedSYN(fd int) (packet, error) {
	b := make([]byte, 512)
	n := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_SAVED_SYN,
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return nil, errno
	}
	if p := packet(b[:n]); p.isTCP() {
		return p, nil
	}
	return nil, fmt.Errorf("read saved SYN: % x is none", b[:n])
}

// optionKinds lists the TCP options of a SYN.
func optionKinds(p packet) (kinds []byte) {
	for o := p.options(); len(o) > 0; {
		kinds = append(kinds, o[0])
		if o[0] < 2 || len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			o = o[1:]
			continue
		}
		o = o[o[1]:]
	}
	return kinds
}
