// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// echo is a server that sends back what it is sent.
type echo struct {
	*host
	listener *net.TCPListener
	wg       sync.WaitGroup

	mu     sync.Mutex
	opened map[netip.AddrPort]net.Conn // by the client's end
	broken map[netip.AddrPort]error    // how one has ended, if not by FIN
	closed int
}

// listen opens a port for plain TCP: Go would make it MPTCP.
func (h *host) listen(t *testing.T, port uint16) *net.TCPListener {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := within(h, func() (net.Listener, error) {
		return config.Listen(t.Context(), "tcp", h.port(port).String())
	})
	if err != nil {
		t.Fatalf("listen on %s: %v", h.name, err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.(*net.TCPListener)
}

// echo serves a port until the test ends.
func (h *host) echo(t *testing.T, port uint16) *echo {
	t.Helper()
	s := &echo{host: h, listener: h.listen(t, port), opened: make(map[netip.AddrPort]net.Conn),
		broken: make(map[netip.AddrPort]error)}
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		_ = s.listener.Close()
		s.mu.Lock()
		for _, c := range s.opened {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *echo) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		from := c.RemoteAddr().(*net.TCPAddr).AddrPort()
		s.mu.Lock()
		s.opened[from] = c
		s.mu.Unlock()
		s.wg.Go(func() {
			_, err := io.Copy(c, c)
			_ = c.Close()
			s.mu.Lock()
			if err != nil {
				s.broken[from] = err
			}
			s.closed++
			s.mu.Unlock()
		})
	}
}

// count returns how many clients there have been: distinct ends.
func (s *echo) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.opened)
}

// has says whether a client with this end has ever come.
func (s *echo) has(end netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.opened[end]
	return ok
}

// end is the server's end of the connection of a client.
func (s *echo) end(client netip.AddrPort) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened[client]
}

// awaitBroken waits until the server has got an error of the connection of a client.
func (s *echo) awaitBroken(t *testing.T, client netip.AddrPort, want error) {
	t.Helper()
	eventually(t, soon, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.broken[client]; !errors.Is(err, want) {
			return fmt.Errorf("connection of %v ended with %v, want %v", client, err, want)
		}
		return nil
	})
}

// hangUp closes the server's end of a connection first.
func (s *echo) hangUp(t *testing.T, end netip.AddrPort) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.opened[end]
	if !ok {
		t.Fatalf("hang up on %v: no such client", end)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// dial connects from h. Port 0 of from stands for any.
func (h *host) dial(ctx context.Context, from, to netip.AddrPort) (*net.TCPConn, error) {
	return within(h, func() (*net.TCPConn, error) { return dialHere(ctx, from, to) })
}

// dialHere connects from where the thread is, by a socket that is prepared before. A
// port may be used again at once.
func dialHere(ctx context.Context, from, to netip.AddrPort, prepare ...func(fd int) error) (*net.TCPConn, error) {
	d := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(from),
		Control: func(_, _ string, c syscall.RawConn) error {
			var failed error
			if err := c.Control(func(fd uintptr) {
				failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
				for _, do := range prepare {
					failed = errors.Join(failed, do(int(fd)))
				}
			}); err != nil {
				return err
			}
			return failed
		},
	}
	c, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// connect dials, and closes the connection when the test ends.
func (h *host) connect(t *testing.T, port uint16, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	c, err := h.dial(ctx, h.port(port), to)
	if err != nil {
		t.Fatalf("connect from %s: %v", h.name, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// superOf returns the five-tuple that a client's connection has.
func superOf(c net.Conn) chain.FiveTuple {
	return chain.FiveTuple{
		Source:      c.LocalAddr().(*net.TCPAddr).AddrPort(),
		Destination: c.RemoteAddr().(*net.TCPAddr).AddrPort(),
		Protocol:    chain.ProtocolTCP,
	}
}

// ask sends n random bytes to an echo and wants them back.
func ask(c net.Conn, n int) error {
	if err := c.SetDeadline(time.Now().Add(late)); err != nil {
		return err
	}
	question := make([]byte, n)
	_, _ = rand.Read(question)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(question)
		sent <- err
	}()
	answer := make([]byte, n)
	if _, err := io.ReadFull(c, answer); err != nil {
		return fmt.Errorf("read answer of %v: %w", superOf(c), err)
	}
	if err := <-sent; err != nil {
		return fmt.Errorf("write question of %v: %w", superOf(c), err)
	}
	if !bytes.Equal(question, answer) {
		return fmt.Errorf("ask on %v: the answer is not the question", superOf(c))
	}
	return nil
}

// talk is ask that fails the test.
func talk(t *testing.T, c net.Conn, n int) {
	t.Helper()
	if err := ask(c, n); err != nil {
		t.Fatal(err)
	}
}

// reset closes a connection with RST.
func reset(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if err := c.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
