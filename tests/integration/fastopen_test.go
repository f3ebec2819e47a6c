// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// fastOpen sends data with the SYN, if the client has the server's cookie.
func (h *host) fastOpen(t *testing.T, to netip.AddrPort, data []byte) net.Conn {
	t.Helper()
	c, err := within(h, func() (net.Conn, error) {
		domain := unix.AF_INET
		if h.addr.Is6() {
			domain = unix.AF_INET6
		}
		fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		f := os.NewFile(uintptr(fd), "fast open")
		defer func() { _ = f.Close() }()
		if err := unix.Bind(fd, sockaddr(h.port(0))); err != nil {
			return nil, err
		}
		// Waits for the connection.
		if err := unix.Sendto(fd, data, unix.MSG_FASTOPEN, sockaddr(to)); err != nil {
			return nil, err
		}
		return net.FileConn(f)
	})
	if err != nil {
		t.Fatalf("fast open from %s: %v", h.name, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Data in the SYN (TCP Fast Open, RFC 7413) reaches the server in the SYN,
// behind the set-up header.
func TestFastOpen(t *testing.T) { eachFamily(t, testFastOpen) }

func testFastOpen(t *testing.T, f family) {
	const port = 5001
	r := newRigOf(t, f, 2)
	client, server := r.client(), r.server()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n")
	for _, h := range r.hosts {
		h.set(t, "ipv4/tcp_fastopen", "1027") // client, server, and on every listener
	}
	server.echo(t, port)
	to := server.port(port)

	cookie := client.fastOpen(t, to, []byte("hello")) // its answer brings the cookie
	answered(t, cookie, []byte("hello"))
	_ = cookie.Close()
	awaitSessions(t, 0, r.hosts...)

	t.Run("data in the SYN", func(t *testing.T) {
		data := bytes.Repeat([]byte("fast open "), 50)
		taps := make([]*capture, len(r.hosts))
		for i, h := range r.hosts {
			taps[i] = h.capture(t)
		}
		before := client.counters(t)
		c := client.fastOpen(t, to, data)
		answered(t, c, data)
		talk(t, c, 100_000)
		s := client.session(t, superOf(c))
		r.chained(t, s, r.hosts...)
		if got := client.counters(t).since(before)["setup_repeated"]; got != 0 {
			t.Fatalf("the SYN was sent again %d times: the server refused the data", got)
		}
		for i, tap := range taps[1:] {
			syn := findSYN(t, tap, r.hosts[i+1].addr)
			_, rest, err := readHeader(syn.payload(), rigKey.Secret)
			if err != nil {
				t.Errorf("SYN to %s: %v", tap.name, err)
			}
			if !bytes.Equal(rest, data) {
				t.Errorf("SYN to %s carries %d bytes of data, want all %d", tap.name, len(rest), len(data))
			}
		}
		syn := findSYN(t, taps[0], r.hosts[1].addr)
		ack := findSYNACK(t, taps[0])
		if got, want := ack.ack()-syn.seq(), uint32(len(data)+1); got != want {
			t.Errorf("SYN-ACK acknowledges %d bytes, want %d: SYN and data", got, want)
		}
		_ = c.Close()
		awaitSessions(t, 0, r.hosts...)
	})

	t.Run("no room for the header", func(t *testing.T) {
		data := bytes.Repeat([]byte("x"), 1400) // fits into the MTU, but not with it
		before := client.counters(t)
		c := client.fastOpen(t, to, data)
		answered(t, c, data)
		talk(t, c, 100_000)
		risen := client.counters(t).since(before)
		want := counters{"syn_too_long": 1, "blocked": 1}
		got := counters{"syn_too_long": risen["syn_too_long"], "blocked": risen["blocked"]}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("counters that rose (-want +got):\n%s", diff)
		}
		r.chained(t, client.session(t, superOf(c)), r.hosts...)
	})
}

// answered reads what an echo must send.
func answered(t *testing.T, c net.Conn, want []byte) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(late)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("read answer: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("answer is %q, want %q", got, want)
	}
}
