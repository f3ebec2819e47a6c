// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
	"mbchain/genl"
)

// bellPort is that of a SYN which is sent behind the one looked at: when it is
// answered, that one has been dealt with.
const bellPort = 29999

// answers sends a packet to the middlebox and says whether anybody answers.
func (r *rig) answers(t *testing.T, p packet) bool {
	t.Helper()
	client, mb := r.client(), r.middleboxes()[0]
	tap := client.capture(t)
	bell := segment{tuple: chain.FiveTuple{Source: client.port(bellPort), Destination: mb.port(2000)}, flags: flagSYN, seq: 1}
	if err := client.send(p, bell.packet()); err != nil {
		t.Fatal(err)
	}
	answered := false
	eventually(t, soon, func() error {
		packets, err := tap.read()
		if err != nil {
			return err
		}
		for _, got := range packets {
			if got.out || !got.isTCP() {
				continue
			}
			switch got.tuple().Destination.Port() {
			case bellPort:
				return nil
			case p.tuple().Source.Port():
				answered = true
			}
		}
		return fmt.Errorf("no answer of %s", mb.name)
	})
	return answered
}

func TestCraftedSYNs(t *testing.T) { eachFamily(t, testCraftedSYNs) }

func testCraftedSYNs(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	mb := r.middleboxes()[0]
	rows := craft(r)
	if len(rows) < 40 {
		t.Fatalf("only %d crafted SYNs", len(rows))
	}

	events, err := within(mb, func() (*genl.Events, error) { return mb.module.Subscribe() })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = events.Close() }()
	// What waits until a neighbour is known can be overtaken by what comes later.
	_ = r.answers(t, rows[0].syn(r, 0))

	for i, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			before := mb.counters(t)
			answered := r.answers(t, c.syn(r, i))
			want := counters{}
			if c.want != genl.ReasonNone {
				want[c.want.String()] = 1
			}
			if diff := cmp.Diff(want, mb.counters(t).since(before)); diff != "" {
				t.Errorf("counters that rose (-want +got):\n%s", diff)
			}
			if answered == c.ends {
				t.Errorf("answered: %v, want %v", answered, !c.ends)
			}
			if n := mb.info(t).Sessions; n != 0 {
				t.Errorf("%d sessions, want none", n)
			}
		})
	}

	t.Run("a good one after all", func(t *testing.T) {
		good := crafted{}
		p := good.syn(r, 7) // its id was in a refused header: that is not held against it
		if err := r.client().send(p); err != nil {
			t.Fatal(err)
		}
		awaitSessions(t, 1, mb)
	})
	t.Run("no other session ever was", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		list, err := events.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		first, ok := list[0].(genl.SessionNew)
		if !ok || first.Session.Super.Source.Port() != 20007 {
			t.Errorf("first event is %+v, want the session of the good SYN", list[0])
		}
	})
}

// Whatever is refused must not take memory: thousands of each would show.
func TestCraftedSYNsTakeNoMemory(t *testing.T) {
	r := newRig(t, 1)
	mb := r.middleboxes()[0]
	rounds := int(amount(200))

	var packets []packet
	for i, c := range craft(r) {
		if c.want >= genl.ReasonHdrTruncated && c.want <= genl.ReasonHdrMAC {
			packets = append(packets, c.syn(r, i))
		}
	}
	flood := func() {
		for range rounds {
			if err := r.client().send(packets...); err != nil {
				t.Fatal(err)
			}
		}
	}
	flood() // caches of the kernel's fill
	before, memory := mb.counters(t), slabMemory(t)
	flood()
	grown := slabMemory(t) - memory

	var refused uint64
	for name, n := range mb.counters(t).since(before) {
		if name[:3] == "hdr" {
			refused += n
		}
	}
	if refused < uint64(rounds*len(packets)/2) {
		t.Fatalf("%d of %d packets were refused", refused, rounds*len(packets))
	}
	if slow > 1 {
		return // its kernel keeps what is freed for a while, to see who uses it
	}
	needed := int64(refused) * int64(mb.info(t).SessionBytes)
	t.Logf("kernel memory grew by %d bytes over %d packets; their sessions would be %d bytes", grown, refused, needed)
	if grown > needed/4 {
		t.Errorf("kernel memory grew by %d bytes over %d packets, want less than %d", grown, refused, needed/4)
	}
}

// slabMemory is how many bytes the kernel's object caches hold and cannot give
// back.
func slabMemory(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^SUnreclaim:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		t.Fatal("find SUnreclaim in /proc/meminfo: none")
	}
	n, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n * 1024
}
