// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"mbchain/chain"
	"mbchain/genl"
)

// flood is SYNs with payload that strangers send to a closed port of the middle
// host. Those that are ordinary SYNs to it are answered with RST.
type flood struct {
	family *family
	module bool
	forge  func(fl *flood, i int) []byte // payload of SYN number i
	want   genl.Reason                   // counts each of them; none: nothing does
}

// super is the session that a header is about.
func (fl *flood) super(i int) chain.FiveTuple {
	return flowTuple(fl.family.client, fl.family.server, httpPort, i, chain.ProtocolTCP)
}

func (fl *flood) header(i int) []byte {
	return setupHeader(uint64(i), fl.super(i), fl.family.middle, fl.family.server)
}

// noHeader is as long as one.
func noHeader(fl *flood, i int) []byte {
	return make([]byte, len(fl.header(i)))
}

func badMAC(fl *flood, i int) []byte {
	b := fl.header(i)
	b[len(b)-1] ^= 1
	return b
}

func unknownKey(fl *flood, i int) []byte {
	b := fl.header(i)
	binary.BigEndian.PutUint32(b[8:], key.ID+1)
	return b
}

func stale(fl *flood, i int) []byte {
	b := fl.header(i)
	binary.BigEndian.PutUint32(b[12:], uint32(time.Now().Add(-10*time.Minute).Unix()))
	return sign(b[:len(b)-macLen])
}

// replayed is always the header of one session, which stands.
func replayed(fl *flood, _ int) []byte {
	return fl.header(0)
}

// measure is what such a SYN costs.
func (fl flood) measure(m *meter) error {
	if err := topology(); err != nil {
		return err
	}
	if err := configure(middle, fl.family, ruleSet{}); err != nil {
		return err
	}
	if err := c0.drop(); err != nil {
		return err
	}
	if err := s0.drop(); err != nil {
		return err
	}
	out, err := newSender(c0, false)
	if err != nil {
		return err
	}
	defer out.close()
	frames := make([][]byte, 1000)
	for i := range frames {
		syn := segment{
			tuple: flowTuple(fl.family.client, fl.family.middle, subsessionPort, i, chain.ProtocolTCP),
			flags: flagSYN, seq: clientISN, payload: fl.forge(&fl, i),
		}
		frames[i] = syn.frame(c0)
	}
	first := segment{
		tuple: flowTuple(fl.family.client, fl.family.middle, subsessionPort, len(frames), chain.ProtocolTCP),
		flags: flagSYN, seq: clientISN, payload: fl.header(0),
	}
	if err := out.send(first.frame(c0)); err != nil {
		return err
	}
	if err := awaitSessions(middle, 1); err != nil {
		return err
	}
	before, err := counters(middle)
	if err != nil {
		return err
	}
	msgs := newMessages(frames, nil)
	send := func() error { return msgs.send(out.fd, m.packets, nil) }
	if err := m.measure(m.packets, send, m0.drop, send); err != nil {
		return err
	}
	after, err := counters(middle)
	if err != nil {
		return err
	}
	return fl.check(before, after, uint64(m.packets*(m.windows+1)))
}

// check fails unless n SYNs were counted for what they are, and for nothing else.
func (fl *flood) check(before, after []genl.Counter, n uint64) error {
	for i, c := range after {
		want := uint64(0)
		if c.Reason == fl.want && fl.want != genl.ReasonNone {
			want = n
		}
		if got := c.Value - before[i].Value; got != want {
			return fmt.Errorf("count %d SYNs: %v rose by %d, want %d", n, c.Reason, got, want)
		}
	}
	return nil
}

// counters are those of the module of a namespace.
func counters(namespace string) ([]genl.Counter, error) {
	return within(namespace, func() ([]genl.Counter, error) {
		c, err := genl.New()
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return c.Stats(context.Background())
	})
}
