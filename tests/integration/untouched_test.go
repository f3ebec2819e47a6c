// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/policy"
)

// Traffic that no rule matches arrives as it was sent, but for TTL and IP
// checksum, and no matter that there is a policy.
func TestUnmatchedTrafficIsUntouched(t *testing.T) {
	const port = 5009
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=5001) >> %s\nmatch(dstport=5010) >> {}\n", l.chain(2)))
	client, server := l.client(), l.server()
	server.echo(t, port)
	server.echo(t, 5010)
	before := client.counters(t)

	tapped := []*capture{client.capture(t), server.capture(t)}
	c := client.connect(t, 0, server.port(port))
	talk(t, c, 300_000)
	reset(t, c)
	// A rule without a chain.
	c = client.connect(t, 0, server.port(5010))
	talk(t, c, 1000)
	reset(t, c)
	// Something like a set-up header, past a host that it is not for.
	odd := newHeader(1, superOf(c), hops(server))
	syn := segment{
		tuple: chain.FiveTuple{Source: client.port(30001), Destination: server.port(port + 1)},
		flags: flagSYN, seq: 1, payload: append(odd.bytes(), "more"...),
	}.packet()
	whole := segment{
		tuple: chain.FiveTuple{Source: client.port(30002), Destination: server.port(port + 1)},
		flags: flagACK, payload: make([]byte, 44),
	}.packet()
	if err := client.send(append(whole.fragments(7, 0, 32), syn)...); err != nil {
		t.Fatal(err)
	}
	client.run(t, "ping", "-n", "-c", "2", "-i", "0.2", server.addr.String())
	udp := sendUDP(t, client, server.port(port), bytes.Repeat([]byte("datagram "), 100))

	var sent, came [2][]packet // by direction: to the right, to the left
	eventually(t, soon, func() error {
		for i, tap := range tapped {
			for _, p := range tap.packets(t) {
				rightward := p.source() == client.addr && p.destination() == server.addr
				leftward := p.source() == server.addr && p.destination() == client.addr
				switch {
				case !rightward && !leftward:
					// What tests before have left behind goes on to the
					// hosts of their chains for a while.
				case rightward == (i == 0):
					sent[direction(rightward)] = append(sent[direction(rightward)], p.packet)
				default:
					came[direction(rightward)] = append(came[direction(rightward)], p.packet)
				}
			}
		}
		for d := range sent {
			if len(sent[d]) != len(came[d]) {
				return fmt.Errorf("direction %d: %d packets were sent and %d came; first without its like:\n%s",
					d, len(sent[d]), len(came[d]), firstOdd(sent[d], came[d]))
			}
		}
		if !slices.ContainsFunc(came[0], func(p packet) bool { return bytes.HasSuffix(p, udp) }) {
			return fmt.Errorf("the datagram is not among %d packets", len(came[0]))
		}
		return nil
	})
	for d := range sent {
		order(sent[d])
		order(came[d])
		for i := range sent[d] {
			if want, got := settle(sent[d][i]), settle(came[d][i]); !bytes.Equal(want, got) {
				t.Fatalf("packet %d of direction %d changed on its way (-sent +came):\n%s", i, d, cmp.Diff(want, got))
			}
		}
		t.Logf("%d packets of direction %d came as they went", len(sent[d]), d)
	}
	if got := client.counters(t).since(before); got["setup_started"] != 0 || got["rewritten_out"] != 0 {
		t.Errorf("counters of the client rose by %v, want nothing started or rewritten", got)
	}
}

func direction(rightward bool) int {
	if rightward {
		return 0
	}
	return 1
}

// settle takes away what every router changes.
func settle(p packet) packet {
	p = slices.Clone(p)
	p[8], p[10], p[11] = 0, 0, 0
	return p
}

// firstOdd shows the first packet that one of the two has and the other has not.
func firstOdd(sent, came []packet) string {
	left := make(map[string]int)
	for _, p := range came {
		left[string(settle(p))]++
	}
	for _, p := range sent {
		if left[string(settle(p))]--; left[string(settle(p))] < 0 {
			return fmt.Sprintf("sent: % x", p[:min(len(p), 60)])
		}
	}
	for _, p := range came {
		if left[string(settle(p))]--; left[string(settle(p))] >= 0 {
			return fmt.Sprintf("came: % x", p[:min(len(p), 60)])
		}
	}
	return "none"
}

// order sorts packets, as two processors may handle them in another order.
func order(packets []packet) {
	slices.SortStableFunc(packets, func(a, b packet) int {
		return bytes.Compare(settle(a), settle(b))
	})
}

// sendUDP sends one datagram and returns its payload.
func sendUDP(t *testing.T, h *host, to netip.AddrPort, payload []byte) []byte {
	t.Helper()
	err := h.in(func() error {
		c, err := net.Dial("udp4", to.String())
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_, err = c.Write(payload)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// The module hooks into a namespace when the first key, policy or session comes
// there: packets of all others on the machine pay nothing for it.
func TestHooksComeWithTheirFirstUse(t *testing.T) {
	const name = "bystander"
	r := newRig(t, 1)
	listed := strings.Contains(r.client().run(t, "nft", "list", "hooks"), "[mbchain]")
	version, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil || !listed && strings.HasPrefix(string(version), "6.12.") && !strings.Contains(string(version), "debug") {
		t.Errorf("the kernel %s lists no hooks (%v); of those we know Debian's 6.1 and the debug kernel do not", version, err)
	}
	first := map[string]func(h *host) error{
		"a key": func(h *host) error { return h.module.SetKeys(t.Context(), []genl.Key{rigKey}) },
		"a policy": func(h *host) error {
			empty, err := r.compile(&policy.Subpolicy{})
			if err != nil {
				return err
			}
			return h.module.LoadPolicy(t.Context(), empty)
		},
		"a session": func(h *host) error {
			q := r.request(0)
			q.Left.Destination = h.port(q.Left.Destination.Port())
			if _, err := h.module.NewSession(t.Context(), q); !errors.Is(err, genl.ErrNoRoute) {
				return fmt.Errorf("install a session where there is no route: %w", err)
			}
			return nil
		},
	}
	for what, use := range first {
		t.Run(what, func(t *testing.T) {
			if err := addNamespace(name); err != nil {
				t.Fatal(err)
			}
			h, err := newHost(name, ipv4.host(200))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = h.module.Close()
				if err := deleteNamespace(name); err != nil {
					t.Error(err)
				}
			})
			h.ip(t, "link set lo up", fmt.Sprintf("addr add %s/32 dev lo", h.addr))
			hooks := func(want int) {
				t.Helper()
				if !listed {
					return
				}
				out := h.run(t, "nft", "list", "hooks")
				if n := strings.Count(out, "[mbchain]"); n != want {
					t.Errorf("the module has %d hooks, want %d:\n%s", n, want, out)
				}
			}
			hooks(0)
			if err := use(h); err != nil {
				t.Fatal(err)
			}
			hooks(6)
		})
	}
}
