// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"mbchain/genl"
)

// moduleFile is the module that this guest runs.
func moduleFile(t *testing.T) string {
	t.Helper()
	ko := os.Getenv("MBCHAIN_KO")
	if ko == "" {
		t.Fatal("find the module's file: MBCHAIN_KO is not set; use tests/vm/run")
	}
	return ko
}

// unloadModule takes it away; at the latest when the test ends it is back.
func unloadModule(t *testing.T) {
	t.Helper()
	ko := moduleFile(t)
	t.Cleanup(func() {
		if _, err := os.Stat("/sys/module/mbchain"); err != nil {
			_ = exec.Command("insmod", ko).Run()
		}
	})
	if out, err := exec.Command("rmmod", "mbchain").CombinedOutput(); err != nil {
		t.Fatalf("unload module: %v: %s", err, out)
	}
}

// loadModule brings the module in a file.
func loadModule(t *testing.T, ko string) {
	t.Helper()
	if out, err := exec.Command("insmod", ko).CombinedOutput(); err != nil {
		t.Fatalf("load %s: %v: %s", ko, err, out)
	}
}

// The module goes while traffic flows: the connections go on as plain ones,
// and once it is back new ones are chained. In a soak, twice.
func TestUnloadUnderTraffic(t *testing.T) {
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=%d | dstport=5001) >> %s\n", webPort, l.chain(2)))
	w := l.serve(t)
	size := amount(sampled(16, 64) * mib)
	w.file(t, "file", size)
	l.server().echo(t, 5001)
	path := append(l.all()[:3:3], l.server())

	for round := range sampled(1, 2) {
		t.Run(fmt.Sprintf("round %d", round+1), func(t *testing.T) {
			idle := l.client().connect(t, 0, l.server().port(5001))
			talk(t, idle, 1000)
			down, up := w.begin(t, w.download, size), w.begin(t, w.upload, size)
			down.await(t, size/8)
			up.await(t, size/8)
			awaitSessions(t, 3, path...)
			if slow > 1 {
				stalled(t, path)
			}

			unloadModule(t)
			talk(t, idle, 100_000)
			for _, transfer := range []*transfer{down, up} {
				transfer.gate.open()
				if err := <-transfer.result; err != nil {
					t.Errorf("without the module: %v", err)
				}
			}
			talk(t, l.client().connect(t, 0, l.server().port(5001)), 100_000)

			loadModule(t, moduleFile(t))
			l.awaitPolicy(t)
			l.configure(t)
			talk(t, idle, 100_000) // still a plain one
			c := l.client().connect(t, 0, l.server().port(5001))
			talk(t, c, 100_000)
			l.chained(t, l.client().session(t, superOf(c)), path...)
		})
	}
	noComplaints(t)
}

// stalled waits until transfers that nobody reads have filled what buffers there
// are. Namespaces lose the module one after the other: a packet between two of
// them may meet a host that has lost it, whose RST the other one, which has not,
// translates. A slow kernel takes long enough for that.
func stalled(t *testing.T, hosts []*host) {
	t.Helper()
	const polls = 10
	var before, same uint64
	eventually(t, late, func() error {
		var now uint64
		for _, h := range hosts {
			now += h.counters(t)[genl.ReasonRewrittenIn.String()]
		}
		if same++; now != before {
			before, same = now, 0
		}
		if same < polls {
			return fmt.Errorf("packets pass: %d so far", now)
		}
		return nil
	})
}

// noComplaints fails the test if the kernel's log holds a warning. tests/vm/run
// looks as well, but this knows which test it was.
func noComplaints(t *testing.T) {
	t.Helper()
	out, err := exec.Command("dmesg").Output()
	if err != nil {
		t.Fatalf("read the kernel's log: %v", err)
	}
	bad := regexp.MustCompile(`BUG:|WARNING:|Oops|Call Trace|refcount_t`)
	for line := range strings.Lines(string(out)) {
		if bad.MatchString(line) {
			t.Errorf("the kernel complains: %s", line)
		}
	}
}
