// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// send puts packets on the wire in this order. They are handled in this order
// too, as one processor sends them all and handles what it sends.
func (h *host) send(packets ...packet) error {
	return h.in(func() error {
		var one unix.CPUSet
		one.Set(0)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("send from %s: %w", h.name, err)
		}
		domain := unix.AF_INET
		if h.addr.Is6() {
			domain = unix.AF_INET6
		}
		// What is sent through a socket of this protocol has its IP header.
		fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return fmt.Errorf("send from %s: %w", h.name, err)
		}
		defer func() { _ = unix.Close(fd) }()
		for _, p := range packets {
			err := unix.Sendto(fd, p, 0, sockaddr(netip.AddrPortFrom(p.destination(), 0)))
			if errors.Is(err, unix.ENOBUFS) {
				err = nil // the device was busy; who counts will see
			}
			if err != nil {
				return fmt.Errorf("send from %s: %w", h.name, err)
			}
		}
		return nil
	})
}

// sockaddr is an end as system calls take it.
func sockaddr(end netip.AddrPort) unix.Sockaddr {
	if end.Addr().Is6() {
		return &unix.SockaddrInet6{Addr: end.Addr().As16(), Port: int(end.Port())}
	}
	return &unix.SockaddrInet4{Addr: end.Addr().As4(), Port: int(end.Port())}
}
