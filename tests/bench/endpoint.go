// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// endpoint is a host with sockets and a process that reads or writes them. The
// other end of its connections is played by packets.
type endpoint struct {
	family *family
	bulk   bool // 64 kB at a time, and not 10 bytes
	udp    bool // and nothing is acknowledged
	module bool
	chain  bool // its connections are chained
	rules  ruleSet
	beside int // sessions of other connections
}

const (
	endpointConns = 100
	turn          = 10 // segments from one connection at a time

	bulkMSS  = 1448
	bulkSize = 44 * bulkMSS
)

// size is how much an application reads or writes at once.
func (e *endpoint) size() int {
	if e.bulk {
		return bulkSize
	}
	return dataLen
}

// count is how many such pieces one connection moves before it is answered.
func (e *endpoint) count() int {
	if e.bulk {
		return 1
	}
	return turn
}

// conn is a connection of an endpoint, and how far it has come.
type conn struct {
	fd    int
	peer  segment // the next one from the other end
	frame []byte
}

func (e *endpoint) prepare(host string) error {
	if err := topology(); err != nil {
		return err
	}
	// A lost race with a timer would be a segment sent twice.
	if err := sysctl(host, "net/ipv4/tcp_early_retrans", "0"); err != nil {
		return err
	}
	if !e.module {
		return nil
	}
	return configure(host, e.family, e.rules)
}

// rounds is how often each connection gets its turn in a window.
func (e *endpoint) rounds(m *meter) int {
	return max(1, m.packets/endpointConns/turn)
}

// measure takes samples of rounds of turns of all connections. A turn without
// an application only sends what the peer sends.
func (e *endpoint) measure(m *meter, conns []*conn, turn func(c *conn, app bool) error, at nic) error {
	rounds := func(app bool) func() error {
		return func() error {
			for range e.rounds(m) {
				for _, c := range conns {
					if err := turn(c, app); err != nil {
						return err
					}
				}
			}
			return nil
		}
	}
	n := e.rounds(m) * len(conns) * e.count()
	return m.measure(n, rounds(true), at.drop, rounds(false))
}

// socket opens a socket in a namespace.
func (e *endpoint) socket(host string) (int, error) {
	kind := unix.SOCK_STREAM
	options := []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
		{unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4 << 20},
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4 << 20},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
	}
	if e.udp {
		kind, options = unix.SOCK_DGRAM, options[:3]
	}
	return within(host, func() (int, error) {
		fd, err := unix.Socket(e.family.domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return 0, fmt.Errorf("open socket: %w", err)
		}
		for _, o := range options {
			if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
				unix.Close(fd)
				return 0, fmt.Errorf("set up socket: %w", err)
			}
		}
		return fd, nil
	})
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is6() {
		return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

// ready waits until a socket can be read or written.
func ready(fd int, events int16) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, int(patience.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			err = errors.New("it did not come about")
		}
		if err != nil {
			return fmt.Errorf("wait for connection: %w", err)
		}
		return nil
	}
}

// super is connection i between client and server.
func (e *endpoint) super(i int) chain.FiveTuple {
	return flowTuple(e.family.client, e.family.server, httpPort, i, e.protocol())
}

func (e *endpoint) protocol() uint8 {
	if e.udp {
		return chain.ProtocolUDP
	}
	return chain.ProtocolTCP
}
