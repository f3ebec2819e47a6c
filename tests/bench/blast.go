// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

const (
	frameLen = 64
	batch    = 50 // frames per system call
)

// frame is a TCP segment with an ACK and ten bytes of data, checksums valid.
func frame(t chain.FiveTuple) []byte {
	b := make([]byte, frameLen)
	dst, _ := net.ParseMAC(middleMAC)
	src, _ := net.ParseMAC(clientMAC)
	copy(b[0:], dst)
	copy(b[6:], src)
	binary.BigEndian.PutUint16(b[12:], unix.ETH_P_IP)

	ip := b[14:34]
	ip[0] = 0x45
	binary.BigEndian.PutUint16(ip[2:], frameLen-14)
	ip[6] = 0x40 // do not fragment
	ip[8] = 64
	ip[9] = unix.IPPROTO_TCP
	s, d := t.Source.Addr().As4(), t.Destination.Addr().As4()
	copy(ip[12:], s[:])
	copy(ip[16:], d[:])
	binary.BigEndian.PutUint16(ip[10:], ^sum(0, ip))

	tcp := b[34:]
	binary.BigEndian.PutUint16(tcp[0:], t.Source.Port())
	binary.BigEndian.PutUint16(tcp[2:], t.Destination.Port())
	tcp[12] = 5 << 4
	tcp[13] = 0x10 // ACK
	binary.BigEndian.PutUint16(tcp[14:], 1024)
	pseudo := sum(uint32(unix.IPPROTO_TCP+len(tcp)), ip[12:20])
	binary.BigEndian.PutUint16(tcp[16:], ^sum(uint32(pseudo), tcp))
	return b
}

// sum is the ones' complement sum of an even number of bytes.
func sum(start uint32, b []byte) uint16 {
	for i := 0; i < len(b); i += 2 {
		start += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for start > 0xffff {
		start = start&0xffff + start>>16
	}
	return uint16(start)
}

type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// blast sends a frame of each flow in turn, passes times, into device c0 and
// prints how many nanoseconds that took.
func blast(tuples string, passes int) error {
	var frames [][]byte
	for line := range strings.SplitSeq(strings.TrimSpace(tuples), "\n") {
		t, err := chain.ParseFiveTuple(line)
		if err != nil {
			return err
		}
		frames = append(frames, frame(t))
	}
	if len(frames)%batch != 0 {
		return fmt.Errorf("send %d flows: not a multiple of %d", len(frames), batch)
	}
	fd, err := socket("c0")
	if err != nil {
		return err
	}
	defer unix.Close(fd)

	iov := make([]unix.Iovec, len(frames))
	msgs := make([]mmsghdr, len(frames))
	for i, f := range frames {
		iov[i].Base = &f[0]
		iov[i].SetLen(len(f))
		msgs[i].hdr.Iov = &iov[i]
		msgs[i].hdr.SetIovlen(1)
	}
	pass := func() error {
		for i := 0; i < len(msgs); i += batch {
			n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd),
				uintptr(unsafe.Pointer(&msgs[i])), batch, 0, 0, 0)
			if errno != 0 || n != batch {
				return fmt.Errorf("send frames: %d of %d: %w", n, batch, errno)
			}
		}
		return nil
	}
	// The first pass warms caches of routes and neighbours.
	if err := pass(); err != nil {
		return err
	}
	start, err := now()
	if err != nil {
		return err
	}
	markStart()
	for range passes {
		if err := pass(); err != nil {
			return err
		}
	}
	markStop()
	end, err := now()
	if err != nil {
		return err
	}
	fmt.Println(strconv.FormatInt(end-start, 10))
	return nil
}

// socket is a packet socket that puts frames straight into a device.
func socket(device string) (int, error) {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return 0, fmt.Errorf("open packet socket: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: dev.Index})
	}
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("set up packet socket: %w", err)
	}
	return fd, nil
}

// now is the guest's clock in nanoseconds: under -icount, instructions.
func now() (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, fmt.Errorf("read clock: %w", err)
	}
	return ts.Nano(), nil
}
