// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// A correspondence is what a client of a stand sends to its server, which answers
// each datagram with itself.
type correspondence struct {
	*stand
	client *peer
	next   uint64 // number of the next datagram
}

// correspond sends datagrams of all sizes and kinds.
func (s *stand) correspond(t *testing.T) error {
	c := &correspondence{stand: s, client: s.client().peer(t, 0, 0), next: 1}
	s.peer.forget()
	mark := 0
	if s.cell.is(ecnOn) {
		mark = ecnECT0
	}
	for _, p := range []*peer{c.client, s.peer} {
		if err := p.set(func(fd int) error { return setTrafficClass(fd, p.addr, mark) }); err != nil {
			return err
		}
	}
	if err := c.exchange(100); err != nil {
		return err
	}
	s.chained(t, s.client().session(t, udpSuper(c.client.conn, s.server().port(standPort))), s.hosts...)
	steps := []func(*testing.T) error{c.stream}
	// A redirect does not put what came in fragments into fragments again, which IPv6
	// routers must not: docs/OPERATIONS.md has it among the limits.
	if s.cell.is(mtuShrink) && !(s.cell.is(nfRedirect) && s.cell.is(overIPv6)) {
		steps = append(steps, c.discover)
	}
	if s.cell.is(lossless) {
		steps = append(steps, c.sizes)
		if !s.cell.is(offloadsOff) {
			steps = append(steps, c.segmented)
		}
		if s.cell.is(overIPv4) { // IPv6 has no such thing
			steps = append(steps, c.unchecked)
		}
	}
	for _, step := range steps {
		if err := step(t); err != nil {
			return err
		}
	}
	return nil
}

// setTrafficClass makes a socket mark what it sends.
func setTrafficClass(fd int, addr interface{ Is6() bool }, mark int) error {
	if addr.Is6() {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, mark)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, mark)
}

// send sends a datagram of n bytes and returns its number.
func (c *correspondence) send(n int) (number uint64, err error) {
	number = c.next
	c.next++
	if _, err = c.client.conn.WriteToUDPAddrPort(letter(number, n), c.server().port(standPort)); err != nil {
		err = fmt.Errorf("send %d bytes: %w", n, err)
	}
	return number, err
}

// answered waits for the answer to a datagram.
func (c *correspondence) answered(number uint64) error {
	return c.await(func() error {
		if c.client.read().came[number] == 0 {
			return fmt.Errorf("no answer to datagram %d came to %s", number, c.client.name)
		}
		return nil
	})
}

// exchange sends a datagram, which nothing must happen to, and waits for the
// answer.
func (c *correspondence) exchange(n int) error {
	number, err := c.send(n)
	if err == nil {
		err = c.answered(number)
	}
	if err != nil {
		return fmt.Errorf("exchange %d bytes: %w", n, err)
	}
	return c.intact()
}

// intact says what came that was not sent.
func (c *correspondence) intact() error {
	return errors.Join(c.peer.read().wrong, c.client.read().wrong)
}

// stream sends many datagrams at once and settles the accounts.
func (c *correspondence) stream(*testing.T) error {
	const many, length = 200, 1000
	c.client.forget()
	c.peer.forget()
	before, err := c.happened()
	if err != nil {
		return err
	}
	for range many {
		if _, err := c.send(length); err != nil {
			return err
		}
	}
	return c.await(func() error {
		now, err := c.happened()
		if err != nil {
			return err
		}
		sent := int64(many)
		for i, p := range []*peer{c.peer, c.client} {
			got := p.read()
			lost, marked := now.lost[i]-before.lost[i], now.marked[i]-before.marked[i]
			switch {
			case got.wrong != nil:
				return got.wrong
			case got.total() != sent-lost:
				return fmt.Errorf("%d datagrams came to %s, of %d of which %d were lost", got.total(), p.name, sent, lost)
			case got.marked != marked:
				return fmt.Errorf("%d datagrams came marked to %s, want %d", got.marked, p.name, marked)
			case (lost > 0) == c.cell.is(lossless) || (marked > 0) != c.cell.is(ecnOn):
				return fmt.Errorf("%d datagrams to %s were lost and %d marked, with %s", lost, p.name, marked, c.cell)
			}
			sent = got.total()
		}
		return nil
	})
}

// discover makes the middle link narrower: both ends learn that, and then send
// fragments.
func (c *correspondence) discover(t *testing.T) error {
	const length = 8000
	c.shrink(t)
	first := c.next
	if err := c.await(func() error {
		_, err := c.send(length)
		came := c.client.read().came
		for n := first; err == nil && came[n] == 0; n++ {
			if n == c.next {
				err = fmt.Errorf("no answer to any of %d datagrams longer than the path's MTU", n-first)
			}
		}
		return err
	}); err != nil {
		return err
	}
	for _, ends := range [][2]*host{{c.stand.client(), c.server()}, {c.server(), c.stand.client()}} {
		out := ends[0].run(t, "ip", "route", "get", ends[1].addr.String())
		if want := fmt.Sprintf("mtu %d", c.mtu()); !strings.Contains(out, want) {
			return fmt.Errorf("%s does not know of %s: %s", ends[0].name, want, out)
		}
	}
	return c.intact()
}

// sizes exchanges datagrams of all lengths, also such as have to be fragmented.
func (c *correspondence) sizes(*testing.T) error {
	full := c.mtu() - c.header - udpHeaderLen
	lengths := []int{numberLen, numberLen + 1, full - 1, full, full + 1, 2*full + 1, 20_000, 65_000}
	if c.cell.is(nfRedirect) {
		// What was fragmented comes to the NF as one packet: docs/OPERATIONS.md has it
		// among the limits.
		lengths = lengths[:4]
	}
	for _, n := range lengths {
		if err := c.exchange(n); err != nil {
			return err
		}
	}
	return nil
}

// segmented sends many datagrams in one call, which stay together as far as devices
// take them apart.
func (c *correspondence) segmented(*testing.T) error {
	const many, length = 16, 1200
	c.client.forget()
	c.peer.forget()
	var content []byte
	for range many {
		content = append(content, letter(c.next, length)...)
		c.next++
	}
	if err := c.client.sendApart(content, length, c.server().port(standPort)); err != nil {
		return err
	}
	if c.cell.is(offloadsOn) { // the server's link could not
		if err := c.peer.sendApart(content, length, c.client.end()); err != nil {
			return err
		}
	}
	want := map[*peer]int64{c.peer: many, c.client: many}
	if c.cell.is(offloadsOn) {
		want[c.client] += many
	}
	return c.await(func() error {
		for p, want := range want {
			got := p.read()
			if got.total() != want || got.wrong != nil {
				return fmt.Errorf("%d datagrams came to %s, want %d: %w", got.total(), p.name, want, got.wrong)
			}
			if c.cell.is(offloadsOn) && got.together != many {
				return fmt.Errorf("%d datagrams at most came together to %s, want %d", got.together, p.name, many)
			}
		}
		return nil
	})
}

// unchecked exchanges datagrams that have no checksum, and get none.
func (c *correspondence) unchecked(t *testing.T) error {
	blind := *c
	blind.client = c.stand.client().peer(t, 0, unix.SO_NO_CHECK)
	tap := c.server().capture(t)
	full := c.mtu() - c.header - udpHeaderLen
	if err := errors.Join(blind.exchange(100), blind.exchange(full-1), blind.exchange(full), c.exchange(100)); err != nil {
		return err
	}
	c.next = blind.next
	n := map[bool]int{}
	for _, p := range tap.packets(t) {
		if p.device == "left" && !p.out && p.protocol() == chain.ProtocolUDP && binary.BigEndian.Uint16(p.packet[6:])&0x1fff == 0 {
			n[binary.BigEndian.Uint16(p.packet[p.headerLen()+6:]) == 0]++
		}
	}
	if n[true] != 3 || n[false] != 1 {
		return fmt.Errorf("%d datagrams came without a checksum and %d with one, want 3 and 1", n[true], n[false])
	}
	return nil
}
