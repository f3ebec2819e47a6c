// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// clientHost measures an application that writes to its connections: what a
// write costs, through the socket, the module and a veth, and its share of the
// acknowledgement, one for each turn.
func (e endpoint) clientHost(m *meter) error {
	if err := e.prepare(client); err != nil {
		return err
	}
	if err := m0.drop(); err != nil {
		return err
	}
	out, err := newSender(m0, false)
	if err != nil {
		return err
	}
	defer out.close()
	if err := e.otherSYNs(); err != nil {
		return err
	}
	conns, err := e.connect(out)
	defer closeAll(conns)
	if err != nil {
		return err
	}
	if e.module {
		want := e.beside
		if e.chain {
			want += len(conns)
		}
		if err := awaitSessions(client, want); err != nil {
			return err
		}
	}
	data := make([]byte, e.size())
	return e.measure(m, conns, func(c *conn, app bool) error {
		if app {
			for range e.count() {
				if err := writeAll(c.fd, data); err != nil {
					return err
				}
			}
		}
		if e.udp {
			return nil
		}
		c.peer.ack += uint32(e.count() * len(data))
		copy(c.frame, c.peer.frame(m0))
		return writeAll(out.fd, c.frame)
	}, c0)
}

// connect opens connections and answers their SYNs.
func (e *endpoint) connect(out *sender) ([]*conn, error) {
	t, err := newTap(m0)
	if err != nil {
		return nil, err
	}
	defer t.close()
	var conns []*conn
	for i := range endpointConns {
		c, err := e.dial(t, out, e.super(i))
		if err != nil {
			return conns, fmt.Errorf("open connection %d: %w", i, err)
		}
		conns = append(conns, c)
	}
	if !e.udp || !e.chain {
		return conns, nil
	}
	return conns, answerSetUps(client, len(conns), func() error {
		for _, c := range conns {
			if err := writeAll(c.fd, make([]byte, dataLen)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *endpoint) dial(t *tap, out *sender, super chain.FiveTuple) (*conn, error) {
	fd, err := e.socket(client)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, sockaddr(super.Source)); err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	err = unix.Connect(fd, sockaddr(super.Destination))
	if e.udp && err == nil {
		return &conn{fd: fd}, nil
	}
	if !errors.Is(err, unix.EINPROGRESS) {
		return nil, fmt.Errorf("connect: %w", err)
	}
	syn, err := t.read(1, flagSYN)
	if err != nil {
		return nil, err
	}
	if direct := syn[0].tuple == super; direct == e.chain {
		return nil, fmt.Errorf("connect to %v: it went as %v", super, syn[0].tuple)
	}
	answer := syn[0].answer(flagSYN|flagACK, serverISN)
	answer.options = synOptions
	if err := out.send(answer.frame(m0)); err != nil {
		return nil, err
	}
	if err := ready(fd, unix.POLLOUT); err != nil {
		return nil, err
	}
	if e, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || e != 0 {
		return nil, fmt.Errorf("connect: %w", unix.Errno(e))
	}
	c := &conn{fd: fd, peer: answer}
	c.peer.flags, c.peer.seq, c.peer.options = flagACK, serverISN+1, nil
	c.frame = c.peer.frame(m0)
	return c, nil
}

// otherSYNs begins sessions of which no more is heard.
func (e *endpoint) otherSYNs() error {
	if e.beside == 0 {
		return nil
	}
	raw, err := newRawSocket(e.family)
	if err != nil {
		return err
	}
	defer unix.Close(raw)
	packets := make([][]byte, e.beside)
	for i := range packets {
		t := e.super(i)
		t.Destination = netip.AddrPortFrom(t.Destination.Addr(), otherPort)
		t.Protocol = chain.ProtocolTCP
		s := segment{tuple: t, flags: flagSYN, seq: clientISN}
		packets[i] = s.packet()
	}
	return newMessages(packets, rawAddr(e.family.server)).send(raw, len(packets), nil)
}

// writeAll writes without telling the Go runtime, whose other threads would
// wake up for it, at a cost that differs from time to time.
func writeAll(fd int, b []byte) error {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return fmt.Errorf("write: %w", errno)
	}
	if int(n) != len(b) {
		return fmt.Errorf("write: %d of %d bytes went", n, len(b))
	}
	return nil
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		unix.Close(c.fd)
	}
}
