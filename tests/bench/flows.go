// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"

	"mbchain/chain"
	"mbchain/genl"
)

const (
	ports     = 50000 // of the client, from firstPort on
	firstPort = 10000
	httpPort  = 80 // of the server; the next one when the client's are used up

	// Subsessions go to this port of the next host, and the ones after it.
	subsessionPort = 20000

	clientISN = 1000
	serverISN = 2000
	dataLen   = 10 // makes frames of 64 bytes, of IPv4
)

// flowTuple is the tuple of connection i to an address.
func flowTuple(from, to netip.Addr, port uint16, i int, protocol uint8) chain.FiveTuple {
	return chain.FiveTuple{
		Source:      netip.AddrPortFrom(from, uint16(firstPort+i%ports)),
		Destination: netip.AddrPortFrom(to, port+uint16(i/ports)),
		Protocol:    protocol,
	}
}

// flows are connections whose packets reach the middle host from c0.
type flows struct {
	in  *sender
	out *sender // into s0, for answers
	seg []segment
}

// newFlows makes n flows to an address, not opened yet.
func newFlows(f *family, to netip.Addr, n int, protocol uint8) (*flows, error) {
	in, err := newSender(c0, false)
	if err != nil {
		return nil, err
	}
	out, err := newSender(s0, false)
	if err != nil {
		in.close()
		return nil, err
	}
	fl := &flows{in: in, out: out, seg: make([]segment, n)}
	for i := range fl.seg {
		fl.seg[i] = segment{
			tuple: flowTuple(f.client, to, httpPort, i, protocol),
			flags: flagACK, seq: clientISN + 1, ack: serverISN + 1,
			payload: make([]byte, dataLen),
		}
	}
	return fl, nil
}

func (fl *flows) close() {
	fl.in.close()
	fl.out.close()
}

// chainThrough makes the flows subsessions whose hosts are hops, the middle one
// first. Their SYNs carry a header, which the result is.
func (fl *flows) chainThrough(hops ...netip.Addr) func(i int) []byte {
	super := make([]chain.FiveTuple, len(fl.seg))
	for i := range fl.seg {
		t := &fl.seg[i].tuple
		super[i] = *t
		*t = flowTuple(t.Source.Addr(), hops[0], subsessionPort, i, chain.ProtocolTCP)
	}
	return func(i int) []byte { return setupHeader(uint64(i), super[i], hops...) }
}

// chainByAgent makes the flows subsessions that the agents have set up with
// the middle host, whose right neighbour is the last of the chain.
func (fl *flows) chainByAgent(hop, right netip.Addr) error {
	requests := make([]genl.SessionRequest, len(fl.seg))
	for i := range fl.seg {
		t := &fl.seg[i].tuple
		super := *t
		*t = flowTuple(t.Source.Addr(), hop, subsessionPort, i, t.Protocol)
		requests[i] = genl.SessionRequest{ID: sessionID(i), Super: super, Left: *t, Hops: []netip.Addr{right}}
	}
	return setUpByAgent(middle, requests)
}

// open shakes hands for every flow: SYN, SYN-ACK and ACK cross the middle host, or
// a datagram and its answer.
// Neither client nor server has a socket; what reaches them is dropped, but for
// that it is looked at here.
func (fl *flows) open(header func(i int) []byte) error {
	t, err := newTap(s0)
	if err != nil {
		return err
	}
	defer t.close()
	for from := 0; from < len(fl.seg); from += batch {
		if err := fl.openBatch(t, from, min(from+batch, len(fl.seg)), header); err != nil {
			return fmt.Errorf("open connections %d to %d: %w", from, from+batch, err)
		}
	}
	return nil
}

func (fl *flows) openBatch(t *tap, from, to int, header func(i int) []byte) error {
	if fl.seg[from].tuple.Protocol == chain.ProtocolUDP {
		return fl.openDatagrams(t, from, to)
	}
	var syns, acks, answers [][]byte
	for i := from; i < to; i++ {
		syn := segment{tuple: fl.seg[i].tuple, flags: flagSYN, seq: clientISN}
		if header != nil {
			syn.payload = header(i)
		}
		ack := fl.seg[i]
		ack.payload = nil
		syns = append(syns, syn.frame(c0))
		acks = append(acks, ack.frame(c0))
	}
	if err := fl.in.send(syns...); err != nil {
		return err
	}
	arrived, err := t.read(to-from, flagSYN)
	if err != nil {
		return err
	}
	for _, s := range arrived {
		answer := s.answer(flagSYN|flagACK, serverISN)
		answers = append(answers, answer.frame(s0))
	}
	if err := fl.out.send(answers...); err != nil {
		return err
	}
	return fl.in.send(acks...)
}

func (fl *flows) openDatagrams(t *tap, from, to int) error {
	var questions, answers [][]byte
	for i := from; i < to; i++ {
		questions = append(questions, fl.seg[i].frame(c0))
	}
	if err := fl.in.send(questions...); err != nil {
		return err
	}
	arrived, err := t.read(to-from, 0)
	if err != nil {
		return err
	}
	for _, s := range arrived {
		answer := s.answer(0, 0)
		answer.payload = make([]byte, dataLen)
		answers = append(answers, answer.frame(s0))
	}
	return fl.out.send(answers...)
}

// messages are one packet of data of each flow.
func (fl *flows) messages() *messages {
	frames := make([][]byte, len(fl.seg))
	for i := range fl.seg {
		frames[i] = fl.seg[i].frame(c0)
	}
	return newMessages(frames, nil)
}
