// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"mbchain/chain"
	"mbchain/genl"
)

// serverHost measures an application that reads its connections: what a
// segment costs, from the veth through the module to the application, which
// reads each, and the acknowledgements that the kernel sends.
func (e endpoint) serverHost(m *meter) error {
	if err := e.prepare(server); err != nil {
		return err
	}
	if err := m1.drop(); err != nil {
		return err
	}
	out, err := newSender(m1, e.bulk)
	if err != nil {
		return err
	}
	defer out.close()
	open := e.accept
	if e.udp {
		open = e.receive
	}
	conns, err := open(out)
	defer closeAll(conns)
	if err != nil {
		return err
	}
	if e.chain {
		if err := awaitSessions(server, len(conns)); err != nil {
			return err
		}
	}
	buf := make([]byte, e.size())
	return e.measure(m, conns, func(c *conn, app bool) error {
		for range e.count() {
			e.fill(c)
			if err := writeAll(out.fd, c.frame); err != nil {
				return err
			}
			if !app {
				continue
			}
			if err := readAll(c.fd, buf); err != nil {
				return err
			}
		}
		return nil
	}, s0)
}

// accept opens connections from the peer's side.
func (e *endpoint) accept(out *sender) ([]*conn, error) {
	l, err := e.socket(server)
	if err != nil {
		return nil, err
	}
	defer unix.Close(l)
	if err := unix.Bind(l, sockaddr(netip.AddrPortFrom(e.family.server, httpPort))); err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(l, endpointConns); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	t, err := newTap(m1)
	if err != nil {
		return nil, err
	}
	defer t.close()
	var conns []*conn
	for i := range endpointConns {
		c, err := e.acceptOne(l, t, out, i)
		if err != nil {
			return conns, fmt.Errorf("open connection %d: %w", i, err)
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// receive opens the one socket that all clients send datagrams to. Each of the
// conns has a descriptor of it.
func (e *endpoint) receive(out *sender) ([]*conn, error) {
	fd, err := e.socket(server)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(e.family.server, httpPort))); err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	var conns []*conn
	var requests []genl.SessionRequest
	for i := range endpointConns {
		one, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return conns, fmt.Errorf("duplicate socket: %w", err)
		}
		t := e.super(i)
		if e.chain {
			t = flowTuple(e.family.middleOut, e.family.server, subsessionPort, i, chain.ProtocolUDP)
			requests = append(requests, genl.SessionRequest{ID: sessionID(i), Super: e.super(i), Left: t})
		}
		c := &conn{fd: one, peer: segment{tuple: t, payload: make([]byte, e.size())}}
		c.frame = e.offloaded(&c.peer)
		conns = append(conns, c)
	}
	return conns, setUpByAgent(server, requests)
}

func (e *endpoint) acceptOne(l int, t *tap, out *sender, i int) (*conn, error) {
	syn := segment{tuple: e.super(i), flags: flagSYN, seq: clientISN, options: synOptions}
	if e.chain {
		syn.payload = setupHeader(uint64(i), syn.tuple, e.family.server)
		syn.tuple = flowTuple(e.family.middleOut, e.family.server, subsessionPort, i, chain.ProtocolTCP)
	}
	if err := writeAll(out.fd, e.offloaded(&syn)); err != nil {
		return nil, err
	}
	answer, err := t.read(1, flagSYN|flagACK)
	if err != nil {
		return nil, err
	}
	if answer[0].tuple != syn.tuple.Reverse() {
		return nil, fmt.Errorf("answer of %v: it went as %v", syn.tuple, answer[0].tuple)
	}
	ack := answer[0].answer(flagACK, clientISN+1)
	if err := writeAll(out.fd, e.offloaded(&ack)); err != nil {
		return nil, err
	}
	if err := ready(l, unix.POLLIN); err != nil {
		return nil, err
	}
	fd, _, err := unix.Accept4(l, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	c := &conn{fd: fd, peer: ack}
	c.peer.payload = make([]byte, e.size())
	if e.bulk {
		c.peer.gsoSize = bulkMSS
	}
	c.frame = e.offloaded(&c.peer)
	return c, nil
}

// fill makes the frame of a connection the next one. Only the header changes.
func (e *endpoint) fill(c *conn) {
	data := c.peer.payload
	switch {
	case e.udp: // as it is
	case e.bulk:
		at := len(c.frame) - len(data) - tcpLen
		binary.BigEndian.PutUint32(c.frame[at+4:], c.peer.seq) // the checksum is left to the device
	default:
		copy(c.frame, c.peer.frame(m1))
	}
	c.peer.seq += uint32(len(data))
}

// offloaded is a frame as the packet socket wants it.
func (e *endpoint) offloaded(s *segment) []byte {
	frame := s.frame(m1)
	if !e.bulk {
		return frame
	}
	return append(virtioHeader(s, len(frame)), frame...)
}

// readAll reads what came, which must be all of b.
func readAll(fd int, b []byte) error {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return fmt.Errorf("read: %w", errno)
	}
	if int(n) != len(b) {
		return fmt.Errorf("read: %d of %d bytes came", n, len(b))
	}
	return nil
}
