// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// The two bits of ECN: capable of it, congestion met.
const (
	ecnMask = 3
	ecnECT0 = 2
	ecnCE   = 3
)

// A peer keeps account of the datagrams that it receives, and may answer each with
// itself. What is in one follows from the number at its beginning.
type peer struct {
	*host
	conn    *net.UDPConn
	answers atomic.Bool
	done    chan struct{}

	mu      sync.Mutex
	account account
}

// account is what a peer has received.
type account struct {
	came     map[uint64]int // by number
	marked   int64          // of them
	together int            // most that the kernel handed over at once
	wrong    error          // with the first that was not what was sent
}

// total is how many datagrams came.
func (a account) total() (n int64) {
	for _, times := range a.came {
		n += int64(times)
	}
	return n
}

// peer opens a socket on h that sees marks and takes many datagrams at once; with
// an option of SOL_SOCKET set, if that is not 0. Port 0 is any.
func (h *host) peer(t *testing.T, port uint16, option int) *peer {
	t.Helper()
	p := &peer{host: h, done: make(chan struct{})}
	p.forget()
	p.conn = h.datagrams(t, port, func(fd int) error {
		err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVTOS, 1)
		if h.addr.Is6() {
			err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1)
		}
		if option != 0 {
			err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1))
		}
		return errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16*mib))
	})
	go func() {
		defer close(p.done)
		for !errors.Is(p.receive(), net.ErrClosed) {
			continue // an ICMP error about an answer
		}
	}()
	t.Cleanup(func() {
		_ = p.conn.Close()
		<-p.done
	})
	return p
}

// end is where the peer is reached.
func (p *peer) end() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// set sets options of the peer's socket.
func (p *peer) set(option func(fd int) error) error {
	raw, err := p.conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = option(int(fd)) })
	return errors.Join(err, failed)
}

// receive takes what the kernel hands over at once: datagrams of one length, of which
// the last may be shorter.
func (p *peer) receive() error {
	buffer, control := make([]byte, 1<<16), make([]byte, 256)
	n, m, _, from, err := p.conn.ReadMsgUDPAddrPort(buffer, control)
	if err != nil {
		return err
	}
	length, marked, err := readControl(control[:m])
	if err != nil {
		return err
	}
	if length == 0 {
		length = n
	}
	together := 0
	for rest := buffer[:n]; len(rest) > 0; together++ {
		one := rest[:min(length, len(rest))]
		rest = rest[len(one):]
		p.enter(one, marked)
		if p.answers.Load() {
			_, _ = p.conn.WriteToUDPAddrPort(one, from)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.account.together = max(p.account.together, together)
	return nil
}

// readControl finds the length of each datagram, if there are several, and whether
// they are marked.
func readControl(control []byte) (length int, marked bool, err error) {
	messages, err := unix.ParseSocketControlMessage(control)
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_UDP && m.Header.Type == unix.UDP_GRO:
			length = int(binary.NativeEndian.Uint32(m.Data))
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TOS,
			m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_TCLASS:
			marked = m.Data[0]&ecnMask == ecnCE
		}
	}
	return length, marked, err
}

// sendApart sends content as datagrams of a length, which the kernel makes of it as
// late as it can.
func (p *peer) sendApart(content []byte, length uint16, to netip.AddrPort) error {
	control := make([]byte, unix.CmsgSpace(2))
	binary.NativeEndian.PutUint64(control, uint64(unix.CmsgLen(2)))
	binary.NativeEndian.PutUint32(control[8:], unix.SOL_UDP)
	binary.NativeEndian.PutUint32(control[12:], unix.UDP_SEGMENT)
	binary.NativeEndian.PutUint16(control[unix.CmsgLen(0):], length)
	if _, _, err := p.conn.WriteMsgUDPAddrPort(content, control, to); err != nil {
		return fmt.Errorf("send %d bytes in datagrams of %d from %s: %w", len(content), length, p.name, err)
	}
	return nil
}

func (p *peer) enter(datagram []byte, marked bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if marked {
		p.account.marked++
	}
	var number uint64
	if len(datagram) >= numberLen {
		number = binary.BigEndian.Uint64(datagram)
	}
	p.account.came[number]++
	if !bytes.Equal(datagram, letter(number, len(datagram))) && p.account.wrong == nil {
		p.account.wrong = fmt.Errorf("the %d bytes that came to %s as datagram %d are not what was sent", len(datagram), p.name, number)
	}
}

// numberLen is how many bytes of a datagram say which it is.
const numberLen = 8

// letter is the content of a datagram.
func letter(number uint64, n int) []byte {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], number)
	content := make([]byte, max(n, numberLen))
	binary.BigEndian.PutUint64(content, number)
	_, _ = rand.NewChaCha8(seed).Read(content[numberLen:])
	return content[:n]
}

// read returns the account so far.
func (p *peer) read() account {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.account
	a.came = maps.Clone(a.came)
	return a
}

// forget begins a new account.
func (p *peer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.account = account{came: make(map[uint64]int)}
}
