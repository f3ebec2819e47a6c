// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// crowd is sessions that come to the first middlebox of a rig by SYNs with a
// set-up header, one after the other, from ports of the client that nobody has
// opened.
type crowd struct {
	r     *rig
	fd    int
	frame []byte    // the SYN of one of them; set makes it another's
	sent  latencies // how long it took to send each of the last flood
}

const (
	crowdPorts = 60_000 // of the client, from crowdFirst on
	crowdFirst = 1024   // also of the other end; the next one when the client's are used up
	crowdLast  = crowdFirst + (2*million-1)/crowdPorts
	crowdISN   = 1000
)

// newCrowd wants the ports of crowds, up to crowdLast, for itself.
func newCrowd(t *testing.T, r *rig) *crowd {
	t.Helper()
	client, mb := r.client(), r.middleboxes()[0]
	s := client.frameSender(t, "right", mb.hardware(t, "left"))
	if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		t.Fatal(err)
	}
	h := newHeader(0, c0Super(r), hops(mb, r.server()))
	syn := segment{
		tuple: chain.FiveTuple{Source: client.port(crowdFirst), Destination: mb.port(crowdFirst), Protocol: chain.ProtocolTCP},
		flags: flagSYN, seq: crowdISN, payload: h.bytes(),
	}
	s.add(r.etherType(), syn.packet())
	return &crowd{r: r, fd: s.fd, frame: s.frames[0]}
}

// c0Super is the supersession of the first of a crowd.
func c0Super(r *rig) chain.FiveTuple {
	return chain.FiveTuple{
		Source: r.client().port(crowdFirst), Destination: r.server().port(crowdFirst), Protocol: chain.ProtocolTCP,
	}
}

// id is that of session k.
func (c *crowd) id(k int) chain.SessionID {
	var id chain.SessionID
	binary.BigEndian.PutUint32(id[:], uint32(k+1))
	return id
}

func (c *crowd) attribute(k int) []byte {
	id := c.id(k)
	return attr(attrSession, id[:])
}

// set makes the frame the SYN of session k, to the middlebox; or one from the same
// port to the server, whose payload is as long but no header.
func (c *crowd) set(k int, header bool, now uint32) {
	p := packet(c.frame[frameHeaderLen:])
	th, b := p.tcp(), p.payload()
	low, high := uint16(crowdFirst+k%crowdPorts), uint16(crowdFirst+k/crowdPorts)
	binary.BigEndian.PutUint16(th, low)
	binary.BigEndian.PutUint16(th[2:], high)
	copy(b, "mbch")
	if !header {
		copy(b, "none")
	}
	binary.BigEndian.PutUint32(b[12:], now)
	binary.BigEndian.PutUint32(b[16:], uint32(k+1))
	ports := b[headerHead+2*c.r.hostBits/8:]
	binary.BigEndian.PutUint16(ports, low)
	binary.BigEndian.PutUint16(ports[2:], high)
	binary.LittleEndian.PutUint64(b[len(b)-headerMAC:], mac(b[:len(b)-headerMAC], rigKey.Secret))
	binary.BigEndian.PutUint16(th[16:], 0)
	binary.BigEndian.PutUint16(th[16:], checksum(th, p.pseudoSum()))
}

// to makes the frame one to another host.
func (c *crowd) to(a netip.Addr) {
	p := packet(c.frame[frameHeaderLen:])
	addrs := p.addrs()
	copy(addrs[len(addrs)/2:], a.AsSlice())
	if !p.isIPv6() {
		binary.BigEndian.PutUint16(p[10:], 0)
		binary.BigEndian.PutUint16(p[10:], checksum(p[:ipv4HeaderLen], 0))
	}
}

// flood sends the SYNs of n sessions, each when the one before has been dealt
// with: the processor that sends them carries them to the end. Without headers
// they pass the middlebox on their way to the server.
func (c *crowd) flood(t *testing.T, n int, header bool) {
	t.Helper()
	c.sent = latencies{kind: "a SYN", all: make([]time.Duration, 0, n)}
	c.to(c.r.middleboxes()[0].addr)
	if !header {
		c.to(c.r.server().addr)
	}
	now := time.Now()
	for k := range n {
		c.set(k, header, uint32(now.Unix()))
		before := time.Now()
		for {
			_, err := unix.Write(c.fd, c.frame)
			if err == nil {
				break
			}
			if !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
				t.Fatalf("send SYN %d: %v", k, err)
			}
		}
		now = time.Now()
		c.sent.all = append(c.sent.all, now.Sub(before))
	}
}

// kernelSocket is a bare connection to the middlebox's module, for requests by
// the million.
type kernelSocket struct {
	fd     int
	family uint16
}

func (h *host) kernelSocket(t *testing.T) kernelSocket {
	t.Helper()
	s, err := within(h, func() (kernelSocket, error) {
		c, err := openSocket()
		if err != nil {
			return kernelSocket{}, err
		}
		defer func() { _ = c.conn.Close() }()
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
		if err != nil {
			return kernelSocket{}, err
		}
		return kernelSocket{fd, c.family.ID}, unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	})
	if err != nil {
		t.Fatalf("ask the module of %s: %v", h.name, err)
	}
	t.Cleanup(func() { _ = unix.Close(s.fd) })
	return s
}

// request appends a message to b.
func (s kernelSocket) request(b []byte, flags uint16, command uint8, attributes ...byte) []byte {
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.SizeofNlMsghdr+4+len(attributes)))
	b = binary.NativeEndian.AppendUint16(b, s.family)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = append(b, 1, 0, 0, 0, 0, 0, 0, 0) // sequence number, port
	b = append(b, command, 1, 0, 0)       // version 1
	return append(b, attributes...)
}

// receive hands over the messages that have come, until one says that it is done
// or acknowledges.
func (s kernelSocket) receive(each func(h unix.NlMsghdr, body []byte) error) error {
	buf := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(s.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("receive from the module: %w", err)
		}
		for b := buf[:n]; len(b) >= unix.SizeofNlMsghdr; {
			h := unix.NlMsghdr{Len: binary.NativeEndian.Uint32(b), Type: binary.NativeEndian.Uint16(b[4:]), Flags: binary.NativeEndian.Uint16(b[6:])}
			if int(h.Len) < unix.SizeofNlMsghdr || int(h.Len) > len(b) {
				return fmt.Errorf("receive from the module: a message of %d bytes in %d", h.Len, len(b))
			}
			body := b[unix.SizeofNlMsghdr:h.Len]
			b = b[min((int(h.Len)+3)&^3, len(b)):]
			switch h.Type {
			case unix.NLMSG_ERROR:
				if code := int32(binary.NativeEndian.Uint32(body)); code != 0 {
					return fmt.Errorf("ask the module: %w", unix.Errno(-code))
				}
				return nil
			case unix.NLMSG_DONE:
				return nil
			}
			if err := each(h, body); err != nil {
				return err
			}
		}
	}
}

// listed fails unless the middlebox lists each of n sessions once, and others.
func (c *crowd) listed(t *testing.T, n, others int) {
	t.Helper()
	s := c.r.middleboxes()[0].kernelSocket(t)
	if _, err := unix.Write(s.fd, s.request(nil, unix.NLM_F_DUMP, cmdGetSession)); err != nil {
		t.Fatal(err)
	}
	seen := make([]bool, n)
	again, strange, interrupted := 0, 0, false
	err := s.receive(func(h unix.NlMsghdr, body []byte) error {
		interrupted = interrupted || h.Flags&unix.NLM_F_DUMP_INTR != 0
		ad, err := netlink.NewAttributeDecoder(body[4:])
		if err != nil {
			return err
		}
		for ad.Next() {
			if ad.Type() != attrSession {
				continue
			}
			id := chain.SessionID(ad.Bytes())
			switch k := int(binary.BigEndian.Uint32(id[:])) - 1; {
			case k < 0 || k >= n || id != c.id(k):
				strange++
			case seen[k]:
				again++
			default:
				seen[k] = true
			}
			break
		}
		return ad.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for _, ok := range seen {
		if !ok {
			missing++
		}
	}
	if missing > 0 || again > 0 || strange != others || interrupted {
		t.Errorf("of %d sessions %d are not listed, %d again, and %d others, want %d; interrupted: %v",
			n, missing, again, strange, others, interrupted)
	}
}

// remove deletes n sessions.
func (c *crowd) remove(t *testing.T, n int) {
	t.Helper()
	const atOnce = 200
	s := c.r.middleboxes()[0].kernelSocket(t)
	for k := 0; k < n; {
		var b []byte
		for end := min(k+atOnce, n); k < end; k++ {
			flags := uint16(0)
			if k == end-1 {
				flags = unix.NLM_F_ACK
			}
			b = s.request(b, flags, cmdDelSession, c.attribute(k)...)
		}
		if _, err := unix.Write(s.fd, b); err != nil {
			t.Fatal(err)
		}
		if err := s.receive(func(unix.NlMsghdr, []byte) error { return nil }); err != nil {
			t.Fatalf("delete sessions up to %d: %v", k, err)
		}
	}
}
