// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Options of a connection, TCPI_OPT_* of linux/tcp.h.
const (
	optTimestamps = 1 << 0
	optSACK       = 1 << 1
	optECN        = 1 << 3
	optECNSeen    = 1 << 4 // a packet came that may be marked
)

// tcpInfo is what the kernel tells of a connection.
func tcpInfo(c net.Conn) (info *unix.TCPInfo, err error) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	return info, errors.Join(err, failed)
}

// converse moves data both ways at once through a connection.
func (s *stand) converse(t *testing.T) error {
	ctx, cancel := context.WithTimeout(t.Context(), s.patience)
	defer cancel()
	c, err := s.client().dial(ctx, s.client().port(0), s.server().port(standPort))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := ask(c, 100); err != nil {
		return err
	}
	s.shrink(t)
	// Where devices segment, or packets are long, there are few of which to lose some.
	n := mib / 2
	if !s.cell.is(lossless) && (!s.cell.is(offloadsOff) || s.cell.is(mtu9000)) {
		n = 4 * mib
	}
	if err := ask(c, int(amount(int64(n)))); err != nil {
		return err
	}
	s.chained(t, s.client().session(t, superOf(c)), s.hosts...)
	return s.checkConnection(t, c, s.echo.end(superOf(c).Source))
}

// checkConnection compares what both ends say of a connection with the cell.
func (s *stand) checkConnection(t *testing.T, ends ...net.Conn) error {
	was, err := s.happened()
	if err != nil {
		return err
	}
	kernels := s.observe(t)
	risen := func(at int, name string) int64 { return kernels[at].kernel[name] - s.before[at].kernel[name] }
	ceName := map[bool]string{false: "IpExtInCEPkts", true: "Ip6InCEPkts"}[s.cell.is(overIPv6)]

	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	var recoveries, resent int64
	for i, c := range ends {
		at := i * (len(s.hosts) - 1)
		name := s.hosts[at].name
		info, err := tcpInfo(c)
		if err != nil {
			return err
		}
		for _, o := range []struct {
			name string
			bits uint8
			want bool
		}{
			{"timestamps", optTimestamps, s.cell.is(timestampsOn)},
			{"SACK", optSACK, !s.cell.is(lossNoSACK)},
			{"ECN", optECN, s.cell.is(ecnOn)},
			{"ECN seen", optECNSeen, s.cell.is(ecnOn)},
		} {
			if got := info.Options&o.bits != 0; got != o.want {
				complain("%s at the %s: %v, want %v", o.name, name, got, o.want)
			}
		}
		mss := s.mtu() - s.header - tcpHeaderLen
		if s.cell.is(timestampsOn) {
			mss -= 12
		}
		if int(info.Pmtu) != s.mtu() || int(info.Snd_mss) != mss {
			complain("the %s sends segments of %d, believing in a path MTU of %d, want %d and %d", name, info.Snd_mss, info.Pmtu, mss, s.mtu())
		}

		// What is marked on its way to the other end is told by it.
		marked, came := was.marked[i] > 0, risen(at, ceName) > 0
		if marked != s.cell.is(ecnOn) {
			complain("%d packets of the %s were marked, with %s", was.marked[i], name, s.cell)
		}
		if came != s.cell.is(ecnOn) {
			complain("%s of %s rose by %d, with %s: no mark reached it, or some that nobody made", ceName, name, risen(at, ceName), s.cell)
		}
		if told := info.Delivered_ce > 0; told != s.cell.is(ecnOn) {
			complain("the %s has been told of %d marks, with %s", name, info.Delivered_ce, s.cell)
		}
		if lost := was.lost[i] > 0; lost == s.cell.is(lossless) {
			complain("%d packets of the %s were lost, with %s", was.lost[i], name, s.cell)
		}
		resent += int64(info.Total_retrans)
		recoveries += risen(at, "TcpExtTCPSackRecovery")
	}
	switch {
	case s.cell.is(lossless):
	case resent == 0:
		complain("nothing was sent again, with %s", s.cell)
	case (recoveries > 0) != s.cell.is(lossy):
		complain("the ends recovered from loss by SACK %d times, with %s", recoveries, s.cell)
	}
	return errors.Join(errs...)
}
