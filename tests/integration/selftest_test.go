// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"strings"
	"testing"
)

// reload replaces the module by the one in a file.
func reload(t *testing.T, ko string) {
	t.Helper()
	unloadModule(t)
	loadModule(t, ko)
}

// A module that was built with its self-tests only loads if they pass, and
// says so.
func TestSelfTestsOfTheModule(t *testing.T) {
	hint(t)
	ko := moduleFile(t)
	reload(t, strings.Replace(ko, "/build/kmod/", "/build/kmod-debug/", 1))
	t.Cleanup(func() { reload(t, ko) })
	out, err := exec.Command("dmesg").Output()
	if err != nil {
		t.Fatalf("read kernel log: %v", err)
	}
	if !strings.Contains(string(out), "mbchain: selftest: passed") {
		t.Errorf("kernel log does not say that the self-tests passed:\n%s", out)
	}
}

// The tests of package genl that need the module: one suite that its fake
// passes too, and those of permissions, events and dumps.
func TestNetlinkClient(t *testing.T) {
	hint(t)
	out, err := exec.Command(top(t, "build", "genl.test"),
		"-test.v", "-test.run=Conformance/module|TestModule").CombinedOutput()
	if err != nil {
		t.Errorf("run build/genl.test: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: TestConformance/module") {
		t.Errorf("the suite did not run:\n%s", out)
	}
}

// What agentd moves of a flow is what this kernel's connection tracking keeps.
func TestConnectionTrackingMoves(t *testing.T) {
	h := newRig(t, 1).client()
	h.nft(t, "track", "chain output { type filter hook output priority 0; ct state new counter accept; }")
	h.run(t, "ip", "link", "set", "lo", "up")
	cmd := exec.Command(top(t, "build", "nfstate.test"), "-test.v", "-test.run=TestKernelKeepsWhatMoves")
	var out strings.Builder
	cmd.Stdout = &out
	if _, err := h.output(cmd); err != nil || !strings.Contains(out.String(), "--- PASS: TestKernelKeepsWhatMoves") {
		t.Errorf("run build/nfstate.test: %v\n%s", err, out.String())
	}
}
