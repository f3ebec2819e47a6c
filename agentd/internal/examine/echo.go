// SPDX-License-Identifier: Apache-2.0

package examine

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// echoTime is how long echoes are waited for.
const echoTime = time.Second

// The numbers of the two requests.
const (
	shortSeq = iota + 1
	largeSeq
)

// maxPacket is the longest packet of IPv4, whatever a device would take.
const maxPacket = 65535

// icmpHeader is the length of the header of an echo request.
const icmpHeader = 8

// Echoed is what came of asking a host for echoes.
type Echoed struct {
	Link  int  // MTU of this host's device on the way there; 0: unknown
	Path  int  // that an ICMP error told of; 0: none came
	Short bool // a short request was answered
	Large bool // one of Link bytes was
	Err   error
}

// family is what differs between ICMP and ICMPv6.
type family struct {
	network  string
	request  icmp.Type
	reply    icmp.Type
	header   int // of IP
	level    int
	discover int // option that says what to do about the path's MTU
	probe    int // its value: send whole whatever is known of the path
	errors   int // option that has errors told
	number   int // of the protocol
}

var (
	family4 = family{
		network: "ip4:icmp", request: ipv4.ICMPTypeEcho, reply: ipv4.ICMPTypeEchoReply, header: 20,
		level: unix.IPPROTO_IP, discover: unix.IP_MTU_DISCOVER, probe: unix.IP_PMTUDISC_PROBE, errors: unix.IP_RECVERR,
		number: 1,
	}
	family6 = family{
		network: "ip6:ipv6-icmp", request: ipv6.ICMPTypeEchoRequest, reply: ipv6.ICMPTypeEchoReply, header: 40,
		level: unix.IPPROTO_IPV6, discover: unix.IPV6_MTU_DISCOVER, probe: unix.IPV6_PMTUDISC_PROBE, errors: unix.IPV6_RECVERR,
		number: 58,
	}
)

// Echo sends a host two ICMP echo requests that must not be fragmented, a short one and
// one that is as long as this host's device on the way there takes; its MTU is one
// of mtus, which are those of all devices, the largest first.
func Echo(ctx context.Context, host netip.Addr, mtus []int) (e Echoed) {
	f := family4
	if host.Is6() {
		f = family6
	}
	conn, err := f.dial(ctx, host)
	if err != nil {
		e.Err = fmt.Errorf("ask %v for an echo: %w", host, err)
		return e
	}
	defer conn.Close()
	deadline := time.Now().Add(echoTime)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	_ = conn.SetDeadline(deadline)
	id := rand.IntN(1 << 16)
	if err := f.send(conn, id, mtus, &e); err != nil {
		e.Err = fmt.Errorf("ask %v for an echo: %w", host, err)
		return e
	}
	f.listen(conn, id, &e)
	return e
}

func (f family) dial(ctx context.Context, host netip.Addr) (*net.IPConn, error) {
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		lost := c.Control(func(fd uintptr) {
			// Without the second one IPv6 tells of no error that comes to a probe.
			err = cmp.Or(unix.SetsockoptInt(int(fd), f.level, f.discover, f.probe), unix.SetsockoptInt(int(fd), f.level, f.errors, 1))
		})
		return errors.Join(lost, os.NewSyscallError("setsockopt", err))
	}}
	conn, err := dialer.DialContext(ctx, f.network, host.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.IPConn), nil
}

// send finds the device's MTU by what it does not take.
func (f family) send(conn *net.IPConn, id int, mtus []int, e *Echoed) error {
	if err := f.write(conn, id, shortSeq, f.header+icmpHeader); err != nil {
		return err
	}
	for _, mtu := range mtus {
		mtu = min(mtu, maxPacket)
		err := f.write(conn, id, largeSeq, mtu)
		if err == nil {
			e.Link = mtu
			return nil
		}
		if !errors.Is(err, unix.EMSGSIZE) {
			return err
		}
	}
	return nil
}

// write sends a request whose IP packet has a length.
func (f family) write(conn *net.IPConn, id, seq, length int) error {
	body := &icmp.Echo{ID: id, Seq: seq, Data: make([]byte, max(length-f.header-icmpHeader, 0))}
	packet, err := (&icmp.Message{Type: f.request, Body: body}).Marshal(nil)
	if err != nil {
		return err
	}
	_, err = conn.Write(packet)
	if errors.Is(err, unix.ENOBUFS) { // a device has dropped it: lost, as anywhere on the way
		return nil
	}
	return err
}

// listen waits until both requests are answered, or the time is over.
func (f family) listen(conn *net.IPConn, id int, e *Echoed) {
	packet := make([]byte, maxPacket)
	for !e.Short || e.Link != 0 && !e.Large {
		n, _, err := conn.ReadFrom(packet)
		if errors.Is(err, unix.EMSGSIZE) { // an ICMP error has come
			if path := f.pathMTU(conn); path < e.Link { // else the device has told its own
				e.Path = path
			}
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			e.Err = fmt.Errorf("wait for an echo: %w", err)
			return
		}
		m, err := icmp.ParseMessage(f.number, packet[:n])
		if err != nil || m.Type != f.reply {
			continue
		}
		if echo, ok := m.Body.(*icmp.Echo); ok && echo.ID == id {
			e.Short = e.Short || echo.Seq == shortSeq
			e.Large = e.Large || echo.Seq == largeSeq
		}
	}
}

// pathMTU is the smallest that the ICMP errors which wait tell of; 0: none does. The
// route that the socket knows may not have heard of it yet.
func (f family) pathMTU(conn *net.IPConn) (least int) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		control := make([]byte, 512)
		for {
			_, n, _, _, err := unix.Recvmsg(int(fd), nil, control, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			if mtu := f.toldMTU(control[:n]); mtu != 0 && (least == 0 || mtu < least) {
				least = mtu
			}
		}
	})
	return least
}

// toldMTU reads a struct sock_extended_err, in the byte order of the host.
func (f family) toldMTU(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if int(m.Header.Level) == f.level && int(m.Header.Type) == f.errors && len(m.Data) >= 12 &&
			binary.NativeEndian.Uint32(m.Data) == uint32(unix.EMSGSIZE) {
			return int(binary.NativeEndian.Uint32(m.Data[8:]))
		}
	}
	return 0
}
