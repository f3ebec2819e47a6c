// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// frameHeaderLen is that of Ethernet.
const frameHeaderLen = 14

// frameBatch is how many frames one system call sends.
const frameBatch = 64

// frameSource is a hardware address that no device has: what comes from it was
// sent by a frameSender.
var frameSource = net.HardwareAddr{2, 0, 0, 0, 0, 0x66}

// frameSender puts frames on the wire as they are, many at a time.
type frameSender struct {
	fd     int
	header [frameHeaderLen]byte
	frames [][]byte
}

// frameSender sends from a device to the neighbour's device with the hardware
// address given. The test's end closes it.
func (h *host) frameSender(t *testing.T, device string, to net.HardwareAddr) *frameSender {
	t.Helper()
	s := &frameSender{}
	copy(s.header[:], to)
	copy(s.header[6:], frameSource)
	err := h.in(func() error {
		dev, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(s.fd, &unix.SockaddrLinklayer{Ifindex: dev.Index})
	})
	if err != nil {
		t.Fatalf("send frames from %s: %v", h.name, err)
	}
	t.Cleanup(func() { _ = unix.Close(s.fd) })
	return s
}

// hardware is the address of a device.
func (h *host) hardware(t *testing.T, device string) net.HardwareAddr {
	t.Helper()
	dev, err := within(h, func() (*net.Interface, error) { return net.InterfaceByName(device) })
	if err != nil {
		t.Fatalf("find %s of %s: %v", device, h.name, err)
	}
	return dev.HardwareAddr
}

// add queues a packet, as one of a protocol of Ethernet.
func (s *frameSender) add(protocol uint16, p packet) {
	frame := append(make([]byte, 0, frameHeaderLen+len(p)), s.header[:]...)
	binary.BigEndian.PutUint16(frame[12:], protocol)
	s.frames = append(s.frames, append(frame, p...))
}

// message is struct mmsghdr.
type message struct {
	unix.Msghdr
	sent uint32
	_    [4]byte
}

// messagesOf are frames ready to be sent.
func messagesOf(frames [][]byte) []message {
	vectors, messages := make([]unix.Iovec, len(frames)), make([]message, len(frames))
	for i, f := range frames {
		vectors[i].Base = &f[0]
		vectors[i].SetLen(len(f))
		messages[i].Iov = &vectors[i]
		messages[i].SetIovlen(1)
	}
	return messages
}

// flush sends what is queued.
func (s *frameSender) flush() error {
	messages := messagesOf(s.frames)
	s.frames = s.frames[:0]
	for len(messages) > 0 {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&messages[0])),
			uintptr(min(len(messages), frameBatch)), 0, 0, 0)
		switch {
		case errors.Is(errno, unix.ENOBUFS), errors.Is(errno, unix.EINTR):
			continue // none of them; the device was busy
		case errno != 0:
			return fmt.Errorf("send frames: %w", errno)
		}
		messages = messages[n:]
	}
	return nil
}
