// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbchain/genl"
)

// attach says how a host's NF gets its packets, until the test ends.
func (h *host) attachNF(t *testing.T, nf genl.NF) {
	t.Helper()
	set := func(nf genl.NF) {
		if err := h.module.SetNF(t.Context(), nf); err != nil {
			t.Fatalf("set NF of %s: %v", h.name, err)
		}
	}
	set(nf)
	got := h.info(t).NF
	if got.Mode != nf.Mode || strings.Join(got.Devices, " ") != strings.Join(nf.Devices, " ") {
		t.Fatalf("the NF of %s is %v, want %v", h.name, got, nf)
	}
}

// Programs that read a tap see the packets of the supersession, whole and in
// both directions, and the session does not wait for them.
func TestTap(t *testing.T) { eachFamily(t, testTap) }

func testTap(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	server.echo(t, 5001)
	mb.ip(t, "link add tap type dummy", "link set tap up")
	mb.attachNF(t, genl.NF{Mode: genl.NFTap, Devices: []string{"tap"}})

	t.Run("nobody listens", func(t *testing.T) {
		before := mb.counters(t)
		talk(t, client.connect(t, 0, server.port(5001)), 100_000)
		if got := mb.counters(t).since(before); got["tapped"] != 0 || got["tap_lost"] != 0 || got["express"] == 0 {
			t.Errorf("counters rose by %v, want no copy, and packets by express", got)
		}
	})

	t.Run("tcpdump and prads", func(t *testing.T) {
		dir := t.TempDir()
		file, assets := filepath.Join(dir, "tap.pcap"), filepath.Join(dir, "assets")
		mb.start(t, "tcpdump", "-i", "tap", "-n", "-U", "--immediate-mode", "-w", file)
		mb.start(t, "prads", "-i", "tap", "-l", assets)
		eventually(t, soon, func() error {
			if n := strings.Count(mb.run(t, "ss", "--packet", "-H"), "tap"); n < 2 {
				return fmt.Errorf("%d programs listen, want two", n)
			}
			return nil
		})
		before := mb.counters(t)
		c := client.connect(t, 0, server.port(5001))
		talk(t, c, 100_000)
		super := superOf(c)
		_ = c.Close()
		if got := mb.counters(t).since(before); got["tapped"] < 10 || got["tap_lost"] != 0 {
			t.Errorf("counters rose by %v, want a copy of each packet", got)
		}
		eventually(t, soon, func() error {
			out := mb.run(t, "tcpdump", "-n", "-v", "-r", file)
			for _, want := range []string{
				fmt.Sprintf("%s.%d > %s.5001", super.Source.Addr(), super.Source.Port(), server.addr),
				fmt.Sprintf("%s.5001 > %s.%d", server.addr, super.Source.Addr(), super.Source.Port()),
			} {
				if !strings.Contains(out, want) {
					return fmt.Errorf("tcpdump has not seen %q", want)
				}
			}
			for _, h := range r.hosts[1:2] {
				if strings.Contains(out, h.addr.String()+".") {
					return fmt.Errorf("tcpdump has seen a subsession:\n%s", lastLines(out, 10))
				}
			}
			got, err := os.ReadFile(assets)
			if err != nil {
				return err
			}
			if !strings.Contains(string(got), client.addr.String()) {
				return fmt.Errorf("prads does not know %v: %s", client.addr, lastLines(string(got), 5))
			}
			return nil
		})
	})

	t.Run("the tap goes", func(t *testing.T) {
		c := client.connect(t, 0, server.port(5001))
		talk(t, c, 1000)
		mb.ip(t, "link delete tap")
		talk(t, c, 100_000)
	})
}

// An NF in a namespace of its own, between a pair of devices, here a bridge
// with a filter: sessions pass it, and what it drops is dropped.
func TestRedirect(t *testing.T) { eachFamily(t, testRedirect) }

func testRedirect(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	r.load(t, "match(dstport=5001-5002) >> {mb1}\n")
	r.agentsOn(t, r.hosts...)
	server.echo(t, 5001)
	refused := server.echo(t, 5002)
	server.answer(t, 5001)

	nf := addHosts(t, f, 100, "rig-nf")[0]
	mb.ip(t,
		"link add nf-in type veth peer name in netns rig-nf",
		"link add nf-out type veth peer name out netns rig-nf",
		"link set nf-in up", "link set nf-out up")
	nf.ip(t, "link add br0 type bridge", "link set in master br0", "link set out master br0",
		"link set in up", "link set out up", "link set br0 up")
	// Before 6.4 br_netfilter, once loaded, passes over chains of priority 0.
	nf.nft(t, "bridge filter", `chain forward {
		type filter hook forward priority 1;
		tcp dport 5002 counter drop
		tcp sport 5001 counter
	}`)
	mb.set(t, "ipv4/conf/all/rp_filter", "1")
	mb.set(t, "ipv4/conf/nf-out/rp_filter", "1")
	mb.attachNF(t, genl.NF{Mode: genl.NFRedirect, Devices: []string{"nf-in", "nf-out"}})

	before := mb.counters(t)
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 1_000_000)
	r.chained(t, client.session(t, superOf(c)), r.hosts...)
	if err := exchange(client.datagrams(t, 0, nil), server.port(5001), 1000); err != nil {
		t.Error(err)
	}
	if got := mb.counters(t).since(before); got["redirected"] < got["rewritten_in"] || got["rewritten_out"] == 0 {
		t.Errorf("counters rose by %v, want every packet redirected", got)
	}
	if out := nf.run(t, "nft", "list", "table", "bridge", "filter"); strings.Contains(out, "sport 5001 counter packets 0") {
		t.Errorf("the NF has not seen answers of the server:\n%s", out)
	}

	a := client.attempt(t, refused, 5002)
	mb.awaitCounter(t, before, genl.ReasonSetupRepeated, 1)
	a.giveUp(t)
	if n := refused.count(); n != 0 {
		t.Errorf("%d connections came through the NF that drops them, want none", n)
	}

	mb.ip(t, "link delete nf-out")
	before = mb.counters(t)
	if _, err := c.Write([]byte("into the void")); err != nil {
		t.Fatal(err)
	}
	mb.awaitCounter(t, before, genl.ReasonRedirectGone, 1)
}

// What cannot be is refused, and changes nothing.
func TestWrongNF(t *testing.T) {
	mb := newRig(t, 1).middleboxes()[0]
	mb.ip(t, "link add tap type dummy")
	mb.attachNF(t, genl.NF{Mode: genl.NFTap, Devices: []string{"tap"}})
	for _, nf := range []genl.NF{
		{Mode: genl.NFTap},
		{Mode: genl.NFTap, Devices: []string{"nowhere"}},
		{Mode: genl.NFTap, Devices: []string{"lo"}},
		{Mode: genl.NFTap, Devices: []string{"tap", "left"}},
		{Mode: genl.NFRedirect, Devices: []string{"left"}},
		{Mode: genl.NFRedirect, Devices: []string{"left", "left"}},
		{Mode: genl.NFInline, Devices: []string{"left"}},
		{Mode: 9},
	} {
		if err := mb.module.SetNF(t.Context(), nf); err == nil {
			t.Errorf("NF %v was taken, want it refused", nf)
		}
		if got := mb.info(t).NF; got.Mode != genl.NFTap || len(got.Devices) != 1 {
			t.Fatalf("the NF is %v after %v was refused, want the tap as before", got, nf)
		}
	}
	mb.attachNF(t, genl.NF{Mode: genl.NFInline})
}
