// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mbchain/genl"
)

// What the server's stack gets for a SYN is what the client's made: no header,
// its own addresses, all options.
func TestServerGetsTheClientsSYN(t *testing.T) { eachFamily(t, testServerGetsTheClientsSYN) }

func testServerGetsTheClientsSYN(t *testing.T, f family) {
	const (
		chainedPort = 5001
		plain       = 5009
	)
	r := newRigOf(t, f, 2)
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

// A SYN that is lost, or whose answer is, is sent again: one session comes of
// it, on every host.
func TestRepeatedSYN(t *testing.T) {
	const port = 5001
	r := newRig(t, 2)
	client, server := r.client(), r.server()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n")
	e := server.echo(t, port)
	mbs := r.middleboxes()

	rows := []struct {
		name string
		at   *host
		nft  string
		to   []*host // they get the SYN more than once
	}{
		{"answer lost at the client", client, "chain c { type filter hook input priority 0; tcp sport 5001 counter drop; }", r.hosts},
		{"answer lost at a middlebox", mbs[0], "chain c { type filter hook forward priority 0; tcp sport 5001 counter drop; }", r.hosts},
		{"lost before the second middlebox", mbs[1], "chain c { type filter hook prerouting priority -500; ip saddr " +
			mbs[0].addr.String() + " tcp flags syn counter drop; }", r.hosts[:2]},
		{"lost in the second middlebox", mbs[1], "chain c { type filter hook forward priority 0; tcp dport 5001 counter drop; }", r.hosts[:3]},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var before []counters
			for _, h := range r.hosts {
				before = append(before, h.counters(t))
			}
			row.at.nft(t, "lose", row.nft)
			a := client.attempt(t, e, port)
			client.awaitCounter(t, before[0], genl.ReasonSetupRepeated, 1)
			row.at.run(t, "nft", "flush", "table", "inet", "lose")
			c := a.connection(t)
			talk(t, c, 100_000)

			awaitSessions(t, 1, r.hosts...)
			r.chained(t, client.session(t, superOf(c)), r.hosts...)
			for i, h := range r.hosts {
				risen := h.counters(t).since(before[i])
				kind := "setup_accepted"
				if h == client {
					kind = "setup_started"
				}
				if risen[kind] != 1 {
					t.Errorf("%s of %s rose by %d, want 1", kind, h.name, risen[kind])
				}
				if i < len(row.to) && risen["setup_repeated"] == 0 {
					t.Errorf("setup_repeated of %s did not rise", h.name)
				}
			}
			_ = c.Close()
			awaitSessions(t, 0, r.hosts...)
		})
	}
}
