// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mbchain/proto"
)

// How far a change may be on its way to all agents, and how much memory policyd may
// have for them.
const (
	spreadWithin = 2 * time.Second
	policydBytes = 1 << 30
)

// changes is how many are applied one after the other for each size of a crowd.
const changes = 7

// crowds are the sizes of those that [TestReportOfSpread] looks at; MBCHAIN_CROWDS
// names others. With the race detector the agents would be what takes the time.
func crowds() []string {
	sample := "100"
	if soak() && !raced {
		sample = "10 100 1000 2000"
	}
	return strings.Fields(cmp.Or(os.Getenv("MBCHAIN_CROWDS"), sample))
}

// A change of one rule reaches a crowd of agents. Outcome: all of them run it within
// two seconds, and policyd has less than a gigabyte in memory. It reports how long
// each took, and whose processor time that was.
func TestReportOfSpread(t *testing.T) {
	for _, size := range crowds() {
		n, err := strconv.Atoi(size)
		if err != nil {
			t.Fatalf("MBCHAIN_CROWDS: %v", err)
		}
		for _, nodes := range []int{1, 3} {
			t.Run(fmt.Sprintf("agents=%d/nodes=%d", n, nodes), func(t *testing.T) { reportSpread(t, n, nodes) })
		}
	}
}

func reportSpread(t *testing.T, agents, nodes int) {
	d := newDomain(t, nodes)
	d.form()
	leader := d.leader()
	at := d.nodes
	if nodes > 1 {
		at = d.others(leader)[:1] // the longer way
	}
	began := time.Now()
	c := gather(d, at, agents)
	came := time.Since(began)
	c.spread(ruleBook(0))
	c.counted("in sync", (*proto.GetStatusResponse).GetHostsInSync)

	var took, theirs, ours []time.Duration
	bytes := c.received()
	for i := range changes {
		policyd, us := d.processorTime(), ownProcessorTime()
		took = append(took, c.spread(ruleBook(i+1)))
		c.counted("in sync", (*proto.GetStatusResponse).GetHostsInSync)
		theirs, ours = append(theirs, d.processorTime()-policyd), append(ours, ownProcessorTime()-us)
	}
	sent := (c.received() - bytes) / int64(changes*agents)
	memory := leader.memory()
	slices.Sort(took)
	slices.Sort(theirs)
	slices.Sort(ours)
	median, worst := took[changes/2], took[changes-1]
	t.Logf("%d agents, %d nodes: connected after %v; a change at all of them after %v, at most %v; processor time of policyd %v, of the agents %v; %d bytes an agent; policyd has %d MiB",
		agents, nodes, came.Round(10*time.Millisecond), median.Round(time.Millisecond), worst.Round(time.Millisecond),
		theirs[changes/2], ours[changes/2].Round(10*time.Millisecond), sent, memory>>20)
	if median > spreadWithin {
		t.Errorf("a change took %v, want at most %v", median, spreadWithin)
	}
	if memory > policydBytes {
		t.Errorf("policyd has %d bytes, want at most %d", memory, policydBytes)
	}
	c.check()
}

// ruleBook is a policy of 100 rules for every host, and ten for each network of 250.
// One of the first 100 is another for each n.
func ruleBook(n int) string {
	var b bytes.Buffer
	fmt.Fprint(&b, "type firewall { 10.200.0.1, 10.200.0.2 }\ntype ids { 10.200.0.3 }\n")
	for i := range 100 {
		port := 1 + i
		if i == n {
			port = 30000 + n
		}
		fmt.Fprintf(&b, "match(dstip=10.201.0.0/16 & proto=tcp & dstport=%d) >> {firewall -> ids}\n", port)
	}
	for net := range 8 {
		for i := range 10 {
			fmt.Fprintf(&b, "match(srcip=10.1.%d.0/24 & proto=tcp & dstport=%d) >> {firewall}\n", net, 20000+i)
		}
	}
	return b.String()
}

// received returns the bytes of all pushes so far.
func (c *crowd) received() (bytes int64) {
	for _, a := range c.agents {
		a.mu.Lock()
		bytes += int64(a.bytes)
		a.mu.Unlock()
	}
	return bytes
}

// processorTime returns what all nodes together have used.
func (d *domain) processorTime() (used time.Duration) {
	d.t.Helper()
	for _, n := range d.nodes {
		stat, err := os.ReadFile(n.proc("stat"))
		if err != nil {
			d.t.Fatal(err)
		}
		// Behind the name, which may have spaces in it.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		for _, ticks := range fields[11:13] { // utime and stime, of 1/100 s
			v, err := strconv.Atoi(ticks)
			if err != nil {
				d.t.Fatal(err)
			}
			used += time.Duration(v) * 10 * time.Millisecond
		}
	}
	return used
}

func ownProcessorTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // cannot fail
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// memory returns the most that the node ever had in memory, in bytes.
func (n *node) memory() int64 {
	n.t.Helper()
	status, err := os.ReadFile(n.proc("status"))
	if err != nil {
		n.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	if err != nil {
		n.t.Fatal(err)
	}
	return kilobytes << 10
}

func (n *node) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(n.cmd.Process.Pid), file)
}
