// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
	"mbchain/genl"
)

func TestGoodHeaderSetsUpASession(t *testing.T) { eachFamily(t, testGoodHeaderSetsUpASession) }

func testGoodHeaderSetsUpASession(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	newKey := genl.Key{ID: 9, Secret: genl.Secret{0: 9}}
	// During a rotation: signed with the new key, verified with both.
	if err := mb.module.SetKeys(t.Context(), []genl.Key{newKey, rigKey}); err != nil {
		t.Fatal(err)
	}
	tap := server.capture(t)
	mb.configure(t, genl.Config{CloseTimeout: 10 * time.Minute}) // the server answers with RST
	before := mb.counters(t)
	c := crafted{header: age(20), payload: func(b []byte) []byte { return append(b, "data"...) }}
	good := c.syn(r, 1)
	if err := client.send(good); err != nil {
		t.Fatal(err)
	}
	awaitSessions(t, 1, mb)
	s := mb.sessions(t)[0]

	var sent header
	var rest []byte
	eventually(t, soon, func() error {
		for _, p := range tap.packets(t) {
			if p.isTCP() && p.flags() == flagSYN && p.tuple() == s.Right.Tuple {
				if !p.intact() {
					t.Errorf("SYN has a wrong checksum: % x", p.packet)
				}
				var err error
				sent, rest, err = readHeader(p.payload(), newKey.Secret)
				return err
			}
		}
		return fmt.Errorf("no SYN with %v came to the server", s.Right.Tuple)
	})

	t.Run("installed as it came", func(t *testing.T) {
		want := genl.Session{
			ID: chain.SessionID(bytes.Repeat([]byte{1}, chain.SessionIDLen)), Role: chain.RoleMiddle, State: s.State,
			Super: chain.FiveTuple{Source: client.port(20001), Destination: server.port(80), Protocol: chain.ProtocolTCP},
			Left:  &genl.Subsession{Tuple: good.tuple(), InPackets: 1, InBytes: uint64(len(good)), OutPackets: s.Left.OutPackets, OutBytes: s.Left.OutBytes},
			Right: s.Right, Hops: hops(server), Age: s.Age, Idle: s.Idle,
			Setup: chain.SetupInBand,
		}
		if diff := cmp.Diff(want, s, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
			cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("session (-want +got):\n%s", diff)
		}
	})
	t.Run("sent on with a header of its own", func(t *testing.T) {
		if sent.keyID != newKey.ID {
			t.Errorf("signed with key %d, want %d", sent.keyID, newKey.ID)
		}
		if now := uint32(time.Now().Unix()); now-sent.time > 15 {
			t.Errorf("its time is %d s ago, want that of sending", now-sent.time)
		}
		if sent.id != s.ID || sent.super != s.Super || !slices.Equal(sent.hops, hops(server)) {
			t.Errorf("header says %v %v %v, want %v %v %v", sent.id, sent.super, sent.hops, s.ID, s.Super, hops(server))
		}
		if string(rest) != "data" {
			t.Errorf("behind it is %q, want %q", rest, "data")
		}
	})

	again := func(port uint16) packet {
		return segment{
			tuple: chain.FiveTuple{Source: client.port(port), Destination: mb.port(2000)},
			flags: flagSYN, seq: 1, payload: good.payload(),
		}.packet()
	}
	replayed := func(t *testing.T) {
		t.Helper()
		before := mb.counters(t)
		if r.answers(t, again(31999)) {
			t.Error("answered, want dropped")
		}
		if diff := cmp.Diff(counters{"hdr_replay": 1}, mb.counters(t).since(before)); diff != "" {
			t.Errorf("counters that rose (-want +got):\n%s", diff)
		}
	}
	t.Run("repeated", func(t *testing.T) {
		before := mb.counters(t)
		r.answers(t, again(good.tuple().Source.Port()))
		if got := mb.counters(t).since(before); got["setup_repeated"] != 1 || got["setup_accepted"] != 0 || got["hdr_replay"] != 0 {
			t.Errorf("counters rose by %v, want only setup_repeated by 1", got)
		}
		awaitSessions(t, 1, mb)
	})
	t.Run("replayed from another port", replayed)
	t.Run("replayed when the session is over", func(t *testing.T) {
		if err := mb.module.DeleteSession(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		replayed(t)
		awaitSessions(t, 0, mb)
	})
	if got := mb.counters(t).since(before)["setup_accepted"]; got != 1 {
		t.Errorf("setup_accepted rose by %d, want 1", got)
	}
}

// A header that was on one link is of no use on another host, nor on its own
// once it is old.
func TestHeaderIsForItsReceiverAlone(t *testing.T) { eachFamily(t, testHeaderIsForItsReceiverAlone) }

func testHeaderIsForItsReceiverAlone(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	forServer := newHeader(1, chain.FiveTuple{Source: client.port(20000), Destination: server.port(80), Protocol: chain.ProtocolTCP}, hops(server))
	s := segment{
		tuple: chain.FiveTuple{Source: client.port(30000), Destination: mb.port(2000)},
		flags: flagSYN, seq: 1, payload: forServer.bytes(),
	}
	before := mb.counters(t)
	if r.answers(t, s.packet()) {
		t.Error("answered, want dropped")
	}
	if diff := cmp.Diff(counters{"hdr_receiver": 1}, mb.counters(t).since(before)); diff != "" {
		t.Errorf("counters that rose (-want +got):\n%s", diff)
	}

	s.tuple.Destination = server.port(2000)
	before = server.counters(t)
	if err := client.send(s.packet()); err != nil {
		t.Fatal(err)
	}
	server.awaitCounter(t, before, genl.ReasonSetupAccepted, 1)
	if n := mb.info(t).Sessions; n != 0 {
		t.Errorf("%s, which only routed it, has %d sessions, want none", mb.name, n)
	}
}
