// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newRawSocket opens a socket on the client that sends whole IP packets.
func newRawSocket(f *family) (int, error) {
	return within(client, func() (int, error) {
		fd, err := unix.Socket(f.domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20)
		}
		if err != nil {
			return 0, fmt.Errorf("open raw socket: %w", err)
		}
		return fd, nil
	})
}

// rawAddr is an address as the kernel reads it.
func rawAddr(a netip.Addr) []byte {
	if a.Is4() {
		return bytesOf(&unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.As4()})
	}
	return bytesOf(&unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: a.As16()})
}

func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}
