// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/genl"
)

// standPort is where the server of a stand serves, both protocols.
const standPort = 5001

// Of the packets at the far end of the middle link, in each direction, one in
// lossEvery is lost when packets are to be lost, none of the first of a session;
// one in markEvery is marked, of those that may be: it met congestion.
const (
	lossEvery = 50
	markEvery = 8
)

// A stand is a rig of two middleboxes on which the cells of a matrix are tried one
// after the other.
type stand struct {
	*rig
	echo     *echo
	peer     *peer
	patience time.Duration // with what should come

	cell   cell       // that is tried
	before []observed // by the hosts when that began
}

// observed is what a host has counted.
type observed struct {
	kernel map[string]int64
	module counters
}

// newStand builds one with every kind of NF at hand, and the servers.
func newStand(t *testing.T, f family) *stand {
	t.Helper()
	s := &stand{rig: newRigOf(t, f, 2), patience: soon}
	s.load(t, fmt.Sprintf("match(dstport=%d) >> {mb1 -> mb2}\n", standPort))
	s.agentsOn(t, s.hosts...)
	for _, end := range []*host{s.client(), s.server()} {
		end.set(t, "ipv4/tcp_no_metrics_save", "1")
	}
	for i, mb := range s.middleboxes() {
		nf := addHosts(t, f, 100+i, fmt.Sprintf("rig-nf%d", i+1))[0]
		mb.ip(t, "link add tap mtu 9000 type dummy", "link set tap up",
			"link add nf-in mtu 9000 type veth peer name in mtu 9000 netns "+nf.name,
			"link add nf-out mtu 9000 type veth peer name out mtu 9000 netns "+nf.name,
			"link set nf-in up", "link set nf-out up")
		nf.ip(t, "link add br0 mtu 9000 type bridge", "link set in master br0", "link set out master br0",
			"link set in up", "link set out up", "link set br0 up")
		mb.listenTo(t, "tap")
	}
	s.echo = s.server().echo(t, standPort)
	s.peer = s.server().peer(t, standPort, 0)
	s.peer.answers.Store(true)
	return s
}

// listenTo opens a device as a program that captures does. Nobody reads what
// comes: soon there is no room for more, which is nobody else's loss.
func (h *host) listenTo(t *testing.T, device string) {
	t.Helper()
	fd, err := within(h, func() (int, error) {
		dev, err := net.InterfaceByName(device)
		if err != nil {
			return -1, err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		return fd, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: dev.Index})
	})
	if err != nil {
		t.Fatalf("listen to %s of %s: %v", device, h.name, err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
}

// try prepares the hosts for a cell and returns what goes wrong with it.
func (s *stand) try(t *testing.T, c cell, try func(*stand, *testing.T) error) error {
	t.Helper()
	s.prepare(t, c)
	err := try(s, t)
	now := s.observe(t)
	for i, h := range s.hosts {
		err = errors.Join(err, s.checkKernel(h, s.before[i].kernel, now[i].kernel),
			s.checkModule(h, now[i].module.since(s.before[i].module)))
	}
	return err
}

// prepare makes the conditions of a cell.
func (s *stand) prepare(t *testing.T, c cell) {
	t.Helper()
	old := s.cell
	s.cell = c
	changed := func(values ...string) bool {
		for _, value := range values {
			if c.is(value) != old.is(value) {
				return true
			}
		}
		return old == nil
	}
	if changed(mtu1500, mtu9000) || c.is(mtuShrink) {
		mtu := 9000
		if c.is(mtu1500) {
			mtu = 1500
		}
		for i, h := range s.hosts {
			if h != s.server() {
				s.linkMTU(t, i, mtu)
			}
			h.ip(t, s.ways(i, "replace")...) // what it knows of paths goes
		}
	}
	if changed(offloadsOn, offloadsOff) {
		state := "on"
		if c.is(offloadsOff) {
			state = "off"
		}
		s.offloads(t, state)
		if c.is(offloadsMixed) {
			s.middleboxes()[1].offloads(t, "right", "off")
			s.server().offloads(t, "left", "off")
		}
	}
	for _, mb := range s.middleboxes() {
		mb.attachNF(t, map[bool]genl.NF{
			c.is(nfInline):   {Mode: genl.NFInline},
			c.is(nfNone):     {Mode: genl.NFNone},
			c.is(nfTap):      {Mode: genl.NFTap, Devices: []string{"tap"}},
			c.is(nfRedirect): {Mode: genl.NFRedirect, Devices: []string{"nf-in", "nf-out"}},
		}[true])
	}
	for name, on := range map[string]bool{
		"tcp_ecn": c.is(ecnOn), "tcp_timestamps": c.is(timestampsOn), "tcp_sack": !c.is(lossNoSACK),
	} {
		for _, end := range []*host{s.client(), s.server()} {
			if err := end.write("ipv4/"+name, map[bool]string{true: "1", false: "0"}[on]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if changed(lossless) {
		// A FIN that was lost comes again after 200 ms, and is to find the session.
		closing := 100 * time.Millisecond
		if !c.is(lossless) {
			closing = time.Second
		}
		for _, h := range s.hosts {
			if err := h.module.SetConfig(t.Context(), genl.Config{CloseTimeout: closing}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.trouble(t)
	s.before = s.observe(t)
}

// trouble loses and marks packets at the far end of the middle link, outside all
// hooks, and counts both.
func (s *stand) trouble(t *testing.T) {
	t.Helper()
	text := "table netdev middle\ndelete table netdev middle\ntable netdev middle {\n"
	for _, way := range troubleWays {
		lose := ""
		if !s.cell.is(lossless) {
			lose = fmt.Sprintf("meta l4proto { tcp, udp } numgen inc mod %d == %d counter name lost-%s drop", lossEvery, lossEvery-1, way)
		}
		text += fmt.Sprintf(`
			counter lost-%[1]s {}
			counter marked-%[1]s {}
			chain %[1]s {
				type filter hook %[1]s device "left" priority 0
				%[2]s
				%[3]s ecn { ect0, ect1 } numgen inc mod %[4]d == 0 counter name marked-%[1]s %[3]s ecn set ce
			}`, way, lose, s.nft, markEvery)
	}
	s.troubled().feed(t, text+"\n}\n", "nft", "-f", "-")
}

// troubled is the host at the far end of the middle link.
func (s *stand) troubled() *host { return s.middleboxes()[1] }

// troubleWays are the hooks there: of packets to the server, and back.
var troubleWays = [2]string{"ingress", "egress"}

// happened is what trouble has counted, of packets to the server and back.
type happened struct{ lost, marked [2]int64 }

func (s *stand) happened() (n happened, err error) {
	out, err := s.troubled().output(exec.Command("nft", "list", "table", "netdev", "middle"))
	if err != nil {
		return n, err
	}
	for i, way := range troubleWays {
		for name, count := range map[string]*int64{"lost": &n.lost[i], "marked": &n.marked[i]} {
			got := regexp.MustCompile(`counter ` + name + "-" + way + ` \{\s*packets (\d+)`).FindStringSubmatch(out)
			if got == nil {
				return n, fmt.Errorf("read counter %s-%s: %s", name, way, out)
			}
			if *count, err = strconv.ParseInt(got[1], 10, 64); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// observe reads all counters of all hosts.
func (s *stand) observe(t *testing.T) (all []observed) {
	t.Helper()
	for _, h := range s.hosts {
		kernel, err := h.netstat()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, observed{kernel, h.counters(t)})
	}
	return all
}

// shrink makes the middle link narrower, if the cell wants that: sessions stand.
func (s *stand) shrink(t *testing.T) {
	t.Helper()
	if s.cell.is(mtuShrink) {
		s.linkMTU(t, 1, 1500)
	}
}

// mtu is that of the whole path in the end.
func (s *stand) mtu() int {
	if s.cell.is(mtu9000) {
		return 9000
	}
	return 1500
}

// await returns check's last error unless check returns nil before patience ends.
func (s *stand) await(check func() error) error {
	end := time.Now().Add(s.patience)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := check()
		if err == nil || time.Now().After(end) {
			return err
		}
		<-tick.C
	}
}

// overtaken is how many SACK blocks a host may discard: processors hand packets on
// beside each other, and a block that a later ACK has overtaken counts as wrong. With
// each segment that is lost come many blocks; when all are wrong they are many more.
func overtaken(before, after map[string]int64) int64 {
	const sentAgain = "TcpRetransSegs"
	return max(5, after[sentAgain]-before[sentAgain])
}

// checkKernel looks for what a host's kernel has no reason to count: packets that
// are broken, or that belong to no connection.
func (s *stand) checkKernel(h *host, before, after map[string]int64) error {
	var errs []error
	for name, n := range after {
		switch {
		case n == before[name], name == "TcpExtTCPSACKDiscard" && n-before[name] <= overtaken(before, after):
		case slices.Contains([]string{"TcpInErrs", "TcpOutRsts", "TcpExtTCPSACKDiscard"}, name),
			strings.HasSuffix(name, "CsumErrors"), strings.HasSuffix(name, "HdrErrors"), strings.HasSuffix(name, "RcvbufErrors"):
			errs = append(errs, fmt.Errorf("%s of %s rose by %d, want 0", name, h.name, n-before[name]))
		}
	}
	return errors.Join(errs...)
}

// checkModule wants packets to have gone to the NF in its way, and nothing counted
// that is not of a session's ordinary life.
func (s *stand) checkModule(h *host, risen counters) error {
	ordinary := []genl.Reason{
		genl.ReasonSetupStarted, genl.ReasonSetupAccepted, genl.ReasonSetupWaited, genl.ReasonSetupDone, genl.ReasonHeld,
		genl.ReasonSetupRepeated, // a slow guest
		genl.ReasonRewrittenIn, genl.ReasonRewrittenOut, genl.ReasonFragmentHeld,
		genl.ReasonEndFIN, genl.ReasonEndIdle,
	}
	if s.cell.is(mtuShrink) {
		ordinary = append(ordinary, genl.ReasonICMPIn, genl.ReasonICMPOut, genl.ReasonTooBig)
	}
	want := map[genl.Reason]bool{
		genl.ReasonExpress:    s.cell.is(nfNone) || s.cell.is(nfTap),
		genl.ReasonTapped:     s.cell.is(nfTap),
		genl.ReasonRedirected: s.cell.is(nfRedirect),
	}
	var errs []error
	if h != s.client() && h != s.server() {
		for reason, want := range want {
			if n := risen[reason.String()]; (n > 0) != want {
				errs = append(errs, fmt.Errorf("%s of %s rose by %d, with %s", reason, h.name, n, s.cell))
			}
			ordinary = append(ordinary, reason)
		}
		ordinary = append(ordinary, genl.ReasonTapLost) // a listener that does not read
	}
	for name, n := range risen {
		if !slices.ContainsFunc(ordinary, func(r genl.Reason) bool { return r.String() == name }) {
			errs = append(errs, fmt.Errorf("%s of %s rose by %d, want 0", name, h.name, n))
		}
	}
	return errors.Join(errs...)
}
