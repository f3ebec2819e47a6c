// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// captureRoom is how many bytes of packets the kernel may keep for a capture.
const captureRoom = 256 * mib

// capture collects the packets of all devices of a host that are of its own
// family, as they are on the wire: the taps lie outside every hook.
type capture struct {
	*host
	fd      int
	devices map[int]string
	kept    []captured // read by find
}

// captured is a packet that passed a device.
type captured struct {
	packet
	device string
	out    bool // leaves the host
}

// capture begins; packets ends it.
func (h *host) capture(t *testing.T) *capture {
	t.Helper()
	c := &capture{host: h, devices: make(map[int]string)}
	if err := h.in(c.open); err != nil {
		t.Fatalf("capture on %s: %v", h.name, err)
	}
	t.Cleanup(func() { _ = unix.Close(c.fd) })
	return c
}

func (c *capture) open() error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		c.devices[i.Index] = i.Name
	}
	// Protocol 0: nothing comes before the filter is there.
	c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureRoom); err != nil {
		return err
	}
	family := uint32(unix.ETH_P_IP)
	if c.addr.Is6() {
		family = unix.ETH_P_IPV6
	}
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtProto},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: family, SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 17},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, ins := range program {
		filter[i] = unix.SockFilter{Code: ins.Op, Jt: ins.Jt, Jf: ins.Jf, K: ins.K}
	}
	if err := unix.SetsockoptSockFprog(c.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}); err != nil {
		return err
	}
	return unix.Bind(c.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL)})
}

// networkOrder swaps on this machine what the kernel reads in network order.
func networkOrder(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}

// read takes what has been captured so far and not been read. Packets of the
// loopback device are passed over. It is an error if the kernel lost packets.
func (c *capture) read() ([]captured, error) {
	var packets []captured
	buf := make([]byte, 1<<17)
	for {
		n, from, err := unix.Recvfrom(c.fd, buf, 0)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			return nil, err
		}
		link := from.(*unix.SockaddrLinklayer)
		if c.devices[link.Ifindex] == "lo" {
			continue
		}
		packets = append(packets, captured{
			packet: append(packet(nil), buf[:n]...),
			device: c.devices[link.Ifindex],
			out:    link.Pkttype == unix.PACKET_OUTGOING,
		})
	}
	stats, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return nil, err
	}
	if stats.Drops > 0 {
		return nil, fmt.Errorf("%d packets were lost", stats.Drops)
	}
	return packets, nil
}

// packets is read that fails the test.
func (c *capture) packets(t *testing.T) []captured {
	t.Helper()
	packets, err := c.read()
	if err != nil {
		t.Fatalf("capture on %s: %v", c.name, err)
	}
	return packets
}

// findSYN returns the SYN that was captured on its way to a host.
func findSYN(t *testing.T, tap *capture, to interface{ String() string }) packet {
	t.Helper()
	return find(t, tap, fmt.Sprintf("SYN to %s", to), func(p packet) bool {
		return p.flags()&(flagSYN|flagACK) == flagSYN && p.destination().String() == to.String()
	})
}

func findSYNACK(t *testing.T, tap *capture) packet {
	t.Helper()
	return find(t, tap, "SYN-ACK", func(p packet) bool { return p.flags()&(flagSYN|flagACK) == flagSYN|flagACK })
}

// find reads a capture to its end and returns the first TCP packet that fits.
func find(t *testing.T, tap *capture, what string, fits func(packet) bool) packet {
	t.Helper()
	tap.kept = append(tap.kept, tap.packets(t)...)
	for _, p := range tap.kept {
		if p.isTCP() && fits(p.packet) {
			return p.packet
		}
	}
	t.Fatalf("capture on %s: no %s among %d packets", tap.name, what, len(tap.kept))
	return nil
}
