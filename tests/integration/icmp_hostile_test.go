// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"mbchain/chain"
	"mbchain/genl"
)

// hostile is an error that somebody sends to a host whose session he does not
// know enough of, or a damaged one.
type hostile struct {
	name string
	want genl.Reason // what counts it, none for 0
	// make changes an error that would do, or the packet that it was made.
	message func(*trouble)
	packet  func(packet) packet
	tuple   func(*chain.FiveTuple)
}

// hostiles are errors about a packet that the first middlebox sent to the
// second, for a family.
func hostiles(f family, r *rig) []hostile {
	rows := []hostile{
		{name: "another source port", tuple: func(q *chain.FiveTuple) { q.Source = nextPort(q.Source) }},
		{name: "another destination port", tuple: func(q *chain.FiveTuple) { q.Destination = nextPort(q.Destination) }},
		{name: "another destination", tuple: func(q *chain.FiveTuple) { q.Destination = r.server().port(q.Destination.Port()) }},
		{name: "about a packet to us", tuple: func(q *chain.FiveTuple) { *q = q.Reverse() }},
		{name: "not for the sender", message: func(m *trouble) { m.to = r.link(2, 1).Addr() }},
		{name: "no quote", message: func(m *trouble) { m.quote = nil }},
		{name: "3 bytes", message: func(m *trouble) { m.quote = m.quote[:3] }},
		{name: "half an IP header", message: func(m *trouble) { m.quote = m.quote[:f.header/2] }},
		{name: "an IP header", message: func(m *trouble) { m.quote = m.quote[:f.header] }},
		{name: "7 bytes of TCP", message: func(m *trouble) { m.quote = m.quote[:f.header+7] }},
		{name: "a quote of the other family", message: func(m *trouble) { m.quote[0] ^= 0x20 }},
		{name: "wrong checksum", want: genl.ReasonICMPBad, packet: func(p packet) packet {
			p[p.headerLen()+3]++
			return p
		}},
		{name: "damaged quote", want: genl.ReasonICMPBad, packet: func(p packet) packet {
			p[len(p)-1]++
			return p
		}},
		{name: "wrong checksum of a stranger", tuple: func(q *chain.FiveTuple) { q.Source = nextPort(q.Source) },
			packet: func(p packet) packet { p[p.headerLen()+2]++; return p }},
		{name: "5 bytes of ICMP", packet: func(p packet) packet { return p.cut(5) }},
	}
	if f.number == 6 {
		return append(rows, hostiles6()...)
	}
	return append(rows, hostiles4()...)
}

func hostiles4() []hostile {
	quote := func(at int, value byte) func(*trouble) {
		return func(m *trouble) {
			m.quote[at] = value
			packet(m.quote).sealHeader()
		}
	}
	return []hostile{
		{name: "a later fragment quoted", message: quote(7, 1)},
		{name: "UDP quoted", message: quote(9, unix.IPPROTO_UDP)},
		{name: "ICMP quoted", message: quote(9, unix.IPPROTO_ICMP)},
		{name: "a quoted header of 16 bytes", message: func(m *trouble) { m.quote[0] = 0x44 }},
		{name: "a quoted header longer than the quote", message: func(m *trouble) { m.quote[0], m.quote = 0x4f, m.quote[:64] }},
		{name: "an echo request", message: func(m *trouble) { m.kind, m.code = 8, 0 }},
		{name: "source quench", message: func(m *trouble) { m.kind, m.code = 4, 0 }},
		{name: "type 255", message: func(m *trouble) { m.kind, m.code = 255, 0 }},
		{name: "a first fragment itself", packet: func(p packet) packet {
			p[6] = 0x20
			p.sealHeader()
			return p
		}},
	}
}

func hostiles6() []hostile {
	// Bytes between the quoted IP header and TCP, whose number they begin with.
	between := func(next byte, b ...byte) func(*trouble) {
		return func(m *trouble) {
			m.quote[6] = next
			m.quote = append(m.quote[:ipv6HeaderLen:ipv6HeaderLen], append(b, m.quote[ipv6HeaderLen:]...)...)
		}
	}
	var nine []byte
	for range 8 {
		nine = append(nine, unix.IPPROTO_DSTOPTS, 0, 1, 4, 0, 0, 0, 0)
	}
	nine = append(nine, unix.IPPROTO_TCP, 0, 1, 4, 0, 0, 0, 0)
	return []hostile{
		{name: "a later fragment quoted", message: between(unix.IPPROTO_FRAGMENT, unix.IPPROTO_TCP, 0, 0, 8, 0, 0, 0, 9)},
		{name: "an extension header longer than the quote", message: between(unix.IPPROTO_HOPOPTS, unix.IPPROTO_TCP, 255, 1, 4, 0, 0, 0, 0)},
		{name: "an extension header that is cut", message: func(m *trouble) {
			m.quote[6] = unix.IPPROTO_DSTOPTS
			m.quote = append(m.quote[:ipv6HeaderLen], unix.IPPROTO_TCP, 0, 1)
		}},
		{name: "nine extension headers", message: between(unix.IPPROTO_DSTOPTS, nine...)},
		{name: "ESP quoted", message: between(unix.IPPROTO_ESP)},
		{name: "no next header", message: between(unix.IPPROTO_NONE)},
		{name: "UDP quoted", message: between(unix.IPPROTO_UDP)},
		{name: "an echo reply", message: func(m *trouble) { m.kind = 129 }},
		{name: "an error of unknown type", message: func(m *trouble) { m.kind = 100 }},
		{name: "a first fragment itself", packet: func(p packet) packet {
			head := []byte{unix.IPPROTO_ICMPV6, 0, 0, 1, 0, 0, 0, 9}
			q := append(append(p[:ipv6HeaderLen:ipv6HeaderLen], head...), p[ipv6HeaderLen:]...)
			q[6] = unix.IPPROTO_FRAGMENT
			return q.withLength(len(q))
		}},
	}
}

// cut shortens a packet to n bytes behind its IP header.
func (p packet) cut(n int) packet {
	n += p.headerLen()
	return p[:n].withLength(n)
}

// error makes it, about a tuple.
func (h hostile) error(f family, about chain.FiveTuple) packet {
	from, to := about.Destination.Addr(), about.Source.Addr()
	if h.tuple != nil {
		h.tuple(&about)
	}
	m := trouble{from: from, to: to, kind: 3, code: 1, quote: quoted{tuple: about, payload: 64}.bytes()}
	if f.number == 6 {
		m.kind, m.code = 1, 0
	}
	if h.message != nil {
		h.message(&m)
	}
	p := m.packet()
	if h.packet != nil {
		p = h.packet(p)
	}
	return p
}

// Errors that are not about a session, or damaged, end where they are sent:
// none of them is translated, and the session stands.
func TestHostileErrors(t *testing.T) { eachFamily(t, testHostileErrors) }

func testHostileErrors(t *testing.T, f family) {
	const port = 5001
	r := newRigOf(t, f, 2)
	client, mbs := r.client(), r.middleboxes()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n", client)
	r.server().echo(t, port)
	c := client.connect(t, 0, r.server().port(port))
	talk(t, c, 1000)
	about := mbs[0].session(t, superOf(c)).Right.Tuple

	for _, h := range hostiles(f, r) {
		t.Run(h.name, func(t *testing.T) {
			before, heard := mbs[0].counters(t), client.counters(t)
			tap := client.capture(t)
			// The last one would do: when it is there, the other was handled.
			if err := mbs[1].send(h.error(f, about), hostile{}.error(f, about)); err != nil {
				t.Fatal(err)
			}
			client.awaitCounter(t, heard, genl.ReasonICMPIn, 1)
			want := counters{genl.ReasonICMPIn.String(): 1, genl.ReasonICMPOut.String(): 1}
			if h.want != genl.ReasonNone {
				want[h.want.String()] = 1
			}
			if diff := cmp.Diff(want, mbs[0].counters(t).since(before)); diff != "" {
				t.Errorf("counters that rose (-want +got):\n%s", diff)
			}
			n := 0
			for _, p := range tap.packets(t) {
				if isPathError(p.packet) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d errors came to the client, want the one that was good", n)
			}
		})
	}
	talk(t, c, 1000)
	noComplaints(t)
}
