// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const batch = 50 // frames per system call

// sender is a packet socket that puts ready frames straight into a device.
type sender struct {
	fd int
}

// newSender opens a sender; offload: frames carry a virtio_net_hdr in front.
func newSender(n nic, offload bool) (*sender, error) {
	fd, err := openPacket(n, 0)
	if err != nil {
		return nil, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	if err == nil && offload {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set up packet socket: %w", err)
	}
	return &sender{fd}, nil
}

func (s *sender) close() { unix.Close(s.fd) }

// openPacket opens a packet socket on a device, in the device's namespace.
func openPacket(n nic, protocol uint16) (int, error) {
	return within(n.host, func() (int, error) {
		dev, err := net.InterfaceByName(n.name)
		if err != nil {
			return 0, err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return 0, fmt.Errorf("open packet socket: %w", err)
		}
		addr := &unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8, Ifindex: dev.Index}
		if err := unix.Bind(fd, addr); err != nil {
			unix.Close(fd)
			return 0, fmt.Errorf("bind packet socket: %w", err)
		}
		return fd, nil
	})
}

type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// messages are packets ready for sendmmsg, sent in turn.
type messages struct {
	iov  []unix.Iovec
	msgs []mmsghdr
	next int
}

// newMessages makes messages of packets, at least a batch of them. to is where
// they go, for a socket that must be told.
func newMessages(packets [][]byte, to []byte) *messages {
	for n := len(packets); len(packets)%batch != 0; {
		packets = append(packets, packets[len(packets)-n])
	}
	m := &messages{
		iov:  make([]unix.Iovec, len(packets)),
		msgs: make([]mmsghdr, len(packets)),
	}
	for i, p := range packets {
		m.iov[i].Base = &p[0]
		m.iov[i].SetLen(len(p))
		h := &m.msgs[i].hdr
		h.Iov = &m.iov[i]
		h.SetIovlen(1)
		if to != nil {
			h.Name = &to[0]
			h.Namelen = uint32(len(to))
		}
	}
	return m
}

// send sends the next n packets, and calls after for each batch if it is set.
func (m *messages) send(fd, n int, after func() error) error {
	for n > 0 {
		want := min(batch, n, len(m.msgs)-m.next)
		got, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
			uintptr(unsafe.Pointer(&m.msgs[m.next])), uintptr(want), 0, 0, 0)
		if errno != 0 {
			return fmt.Errorf("send packets: %w", errno)
		}
		if int(got) != want {
			return fmt.Errorf("send packets: %d of %d went", got, want)
		}
		m.next = (m.next + want) % len(m.msgs)
		n -= want
		if after != nil {
			if err := after(); err != nil {
				return err
			}
		}
	}
	return nil
}

// send sends frames.
func (s *sender) send(frames ...[]byte) error {
	return newMessagesOf(frames).send(s.fd, len(frames), nil)
}

// newMessagesOf makes messages of just these packets.
func newMessagesOf(packets [][]byte) *messages {
	m := newMessages(packets, nil)
	m.msgs = m.msgs[:len(packets)]
	return m
}

// tap hears the TCP and UDP that reaches a device, also what a filter drops.
type tap struct {
	fd  int
	buf []byte
}

func newTap(n nic) (*tap, error) {
	fd, err := openPacket(n, unix.ETH_P_ALL)
	if err != nil {
		return nil, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set up packet socket: %w", err)
	}
	return &tap{fd, make([]byte, 1<<16)}, nil
}

func (t *tap) close() { unix.Close(t.fd) }

// patience is how long a packet may take, by the guest's clock.
const patience = 5 * time.Second

// read returns the next n segments that have all of the flags.
func (t *tap) read(n int, flags byte) ([]segment, error) {
	var segments []segment
	for len(segments) < n {
		size, _, err := unix.Recvfrom(t.fd, t.buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			ready, err := unix.Poll([]unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}, int(patience.Milliseconds()))
			if err != nil && !errors.Is(err, unix.EINTR) {
				return nil, fmt.Errorf("wait for packets: %w", err)
			}
			if err == nil && ready == 0 {
				return nil, fmt.Errorf("wait for packets: %d of %d came", len(segments), n)
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("receive packet: %w", err)
		}
		if s, ok := parse(t.buf[:size]); ok && s.flags&flags == flags {
			s.payload = nil // lies in buf
			segments = append(segments, s)
		}
	}
	return segments, nil
}

// received opens the counter of packets that reached a device.
func received(n nic) (func() (uint64, error), error) {
	f, err := within(n.host, func() (*os.File, error) { return os.Open("/proc/thread-self/net/dev") })
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 1<<14)
	return func() (uint64, error) {
		size, err := f.ReadAt(buf, 0)
		_, line, ok := strings.Cut(string(buf[:size]), n.name+":")
		if !ok {
			return 0, fmt.Errorf("read counter of %s: it is not there: %w", n.name, err)
		}
		var bytes, packets uint64
		if _, err := fmt.Sscan(line, &bytes, &packets); err != nil {
			return 0, fmt.Errorf("read counter of %s: %w", n.name, err)
		}
		return packets, nil
	}, nil
}
