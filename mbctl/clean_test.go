// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"mbchain/proto"
)

func TestCleanLeavesNothingThatATerminalObeys(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "type ids { 10.0.0.3 } # Prüfer →", "type ids { 10.0.0.3 } # Prüfer →"},
		{"layout", "a\tb\nc\r\nd", "a\tb\nc\r\nd"},
		{"escape", "\x1b[2Jgone", "\ufffd[2Jgone"},
		{"8-bit escape", "\u009b2J", "\ufffd2J"},
		{"bell and backspace", "a\a\b", "a\ufffd\ufffd"},
		{"lone carriage return", "root\rnobody", "root\ufffdnobody"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := clean(tt.in); got != tt.want {
				t.Errorf("clean = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatAHostSaysCannotSteerTheTerminal(t *testing.T) {
	f := lab()
	f.policies = []*proto.GetResponse{policyNow(onHost("mb1\x1b[31m", 7, 8, "\x1b]0;title\a"))}
	f.sessions.Missing[0].Error = "\x1b[2J"
	f.hosts.Hosts[0].NfTypes = []string{"\x1b[2J"}
	f.hosts.Hosts[0].Status.Kernel = "\x1b[2J"
	w := newTestWorld(t, f)
	for _, line := range []string{"policy show", "status", "session list", "host list", "host show server"} {
		w.run(t.Context(), strings.Fields(line))
	}
	if out := w.out.String() + w.err.String(); strings.ContainsAny(out, "\x1b\a") {
		t.Errorf("escape sequence in output:\n%q", out)
	}
}
