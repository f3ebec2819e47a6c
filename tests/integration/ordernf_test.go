// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"mbchain/proto"
)

// What of linux/netfilter/nfnetlink_queue.h is needed.
const (
	queueSubsystem = 3 << 8
	queuePacket    = queueSubsystem
	queueVerdict   = queueSubsystem | 1
	queueConfig    = queueSubsystem | 2

	queueConfigCommand = 1
	queueConfigParams  = 2
	queueConfigLength  = 3
	queueConfigMask    = 4
	queueConfigFlags   = 5
	queueBind          = 1
	queueCopyPacket    = 2
	queueFlagGSO       = 1 << 2

	queueAttrHeader  = 1
	queueAttrVerdict = 2
	queueAttrPayload = 10
)

// orderQueue is the queue that an orderNF reads.
const orderQueue = 11

// orderNF is an inline NF on several hosts that takes note of the order in which they
// see the segments of a TCP session, over all of them.
type orderNF struct {
	port uint16 // of the server

	mu       sync.Mutex
	passages []passage
}

// passage is a segment that passes the NF of a host.
type passage struct {
	host      *host
	rightward bool
	seq, end  uint32 // of its data
	ack       uint32
}

func (p passage) String() string {
	way := "left"
	if p.rightward {
		way = "right"
	}
	return fmt.Sprintf("%s at %s: %d to %d, acknowledges %d", way, p.host.name, p.seq, p.end, p.ack)
}

// runOrderNF puts an NF into the path of forwarded packets from and to a server's
// port on each host, until the test ends.
func runOrderNF(t *testing.T, port uint16, hosts ...*host) *orderNF {
	t.Helper()
	o := &orderNF{port: port}
	for _, h := range hosts {
		h.nft(t, "order", fmt.Sprintf(`chain forward {
			type filter hook forward priority 0;
			tcp dport %d queue num %d
			tcp sport %[1]d queue num %[2]d
		}`, port, orderQueue))
		o.serve(t, h)
	}
	return o
}

func (o *orderNF) serve(t *testing.T, h *host) {
	t.Helper()
	c, err := within(h, func() (*netlink.Conn, error) { return netlink.Dial(unix.NETLINK_NETFILTER, nil) })
	if err != nil {
		t.Fatalf("open queue on %s: %v", h.name, err)
	}
	if err := configureQueue(c); err != nil {
		t.Fatalf("configure queue on %s: %v", h.name, err)
	}
	done := make(chan error, 1)
	go func() { done <- o.read(c, h) }()
	t.Cleanup(func() {
		_ = c.Close()
		if err := <-done; err != nil && !errors.Is(err, os.ErrClosed) && !strings.Contains(err.Error(), "use of closed file") && !errors.Is(err, unix.EBADF) {
			t.Errorf("read queue on %s: %v", h.name, err)
		}
	})
}

func configureQueue(c *netlink.Conn) error {
	// ENOBUFS would tell of packets that the queue has dropped, of which TCP knows.
	if err := c.SetOption(netlink.NoENOBUFS, true); err != nil {
		return err
	}
	if err := c.SetReadBuffer(4 << 20); err != nil {
		return err
	}
	number := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for _, set := range [][]netlink.Attribute{
		{{Type: queueConfigCommand, Data: []byte{queueBind, 0, 0, 0}}},
		{{Type: queueConfigParams, Data: append(number(128), queueCopyPacket)}},
		{
			{Type: queueConfigLength, Data: number(4096)},
			{Type: queueConfigFlags, Data: number(queueFlagGSO)}, {Type: queueConfigMask, Data: number(queueFlagGSO)},
		},
	} {
		m, err := queueMessage(queueConfig, netlink.Request|netlink.Acknowledge, set)
		if err != nil {
			return err
		}
		if _, err := c.Execute(m); err != nil {
			return err
		}
	}
	return nil
}

func queueMessage(kind netlink.HeaderType, flags netlink.HeaderFlags, attrs []netlink.Attribute) (netlink.Message, error) {
	b, err := netlink.MarshalAttributes(attrs)
	header := []byte{unix.AF_UNSPEC, 0, 0, orderQueue}
	return netlink.Message{Header: netlink.Header{Type: kind, Flags: flags}, Data: append(header, b...)}, err
}

// read lets every packet pass, and takes note of it first.
func (o *orderNF) read(c *netlink.Conn, h *host) error {
	for {
		messages, err := c.Receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Header.Type != queuePacket {
				continue
			}
			attrs, err := netlink.UnmarshalAttributes(m.Data[4:])
			if err != nil {
				return err
			}
			var id, payload []byte
			for _, a := range attrs {
				switch a.Type {
				case queueAttrHeader:
					id = a.Data[:4]
				case queueAttrPayload:
					payload = a.Data
				}
			}
			o.note(h, payload)
			verdict := append(binary.BigEndian.AppendUint32(nil, 1), id...) // NF_ACCEPT
			answer, err := queueMessage(queueVerdict, netlink.Request, []netlink.Attribute{{Type: queueAttrVerdict, Data: verdict}})
			if err != nil {
				return err
			}
			if _, err := c.Send(answer); err != nil {
				return err
			}
		}
	}
}

// note takes a packet's IP header and what is behind it.
func (o *orderNF) note(h *host, b []byte) {
	var segment []byte
	var length int
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		ihl := int(b[0]&0xf) * 4
		segment, length = b[min(ihl, len(b)):], int(binary.BigEndian.Uint16(b[2:]))-ihl
	case len(b) >= 40 && b[0]>>4 == 6:
		segment, length = b[40:], int(binary.BigEndian.Uint16(b[4:]))
	}
	if len(segment) < 20 {
		return
	}
	p := passage{host: h, rightward: binary.BigEndian.Uint16(segment[2:]) == o.port}
	p.seq, p.ack = binary.BigEndian.Uint32(segment[4:]), binary.BigEndian.Uint32(segment[8:])
	p.end = p.seq + uint32(length-int(segment[12]>>4)*4)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.passages = append(o.passages, p)
}

// take returns what has passed, and forgets it.
func (o *orderNF) take() []passage {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.passages
	o.passages = nil
	return taken
}

// inTurn says what is wrong with the order in which an old host's NF and a new one's
// saw a session: the new one must see nothing before the old one has seen its last
// packet, and goes on in each direction with the byte behind the old one's last.
func inTurn(passages []passage, old, fresh *host, g proto.Guarantee) error {
	if g == proto.Guarantee_GUARANTEE_SUBSTREAM { // the left anchor's go on by the old path until it commits
		passages = withoutRepeatedACKs(passages)
	}
	first := slices.IndexFunc(passages, func(p passage) bool { return p.host == fresh })
	if first < 0 {
		first = len(passages)
	}
	for i, p := range passages {
		switch {
		case p.host != old && p.host != fresh:
			return fmt.Errorf("passage %d is at %s", i, p.host.name)
		case p.host == old && i > first:
			return fmt.Errorf("passage %d is at %s, though %s has seen a packet in passage %d:\n%v", i, old.name, fresh.name, first, passages[max(0, first-10):min(i+10, len(passages))])
		}
	}
	for _, rightward := range []bool{true, false} {
		before, after := dataOf(passages[:first], rightward), dataOf(passages[first:], rightward)
		if len(before) == 0 || len(after) == 0 {
			continue
		}
		last := slices.MaxFunc(before, func(a, b passage) int { return int(int32(a.end - b.end)) }).end
		// What is sent again, because an acknowledgement took long, is no news.
		after = slices.DeleteFunc(after, func(p passage) bool { return int32(p.end-last) <= 0 })
		if len(after) == 0 {
			continue
		}
		next := slices.MinFunc(after, func(a, b passage) int { return int(int32(a.seq - b.seq)) }).seq
		if int32(next-last) > 0 {
			return fmt.Errorf("rightward %t: %s has seen all up to %d, %s nothing before %d", rightward, old.name, last, fresh.name, next)
		}
	}
	return nil
}

// withoutRepeatedACKs leaves out the segments going right that have no data and
// acknowledge nothing new.
func withoutRepeatedACKs(passages []passage) []passage {
	var acked uint32
	known := false
	return slices.DeleteFunc(slices.Clone(passages), func(p passage) bool {
		if !p.rightward {
			return false
		}
		news := !known || int32(p.ack-acked) > 0
		if news {
			acked, known = p.ack, true
		}
		return !news && p.end == p.seq
	})
}

// dataOf returns the segments of a direction that carry data.
func dataOf(passages []passage, rightward bool) []passage {
	var list []passage
	for _, p := range passages {
		if p.rightward == rightward && p.end != p.seq {
			list = append(list, p)
		}
	}
	return list
}
