// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
)

// The numbers are the kernel's and append-only: a change here is a change of
// the interface.
func TestNamesAndNumbers(t *testing.T) {
	tests := []struct {
		noun string
		name func(uint8) fmt.Stringer
		want []string
	}{
		{"role", func(n uint8) fmt.Stringer { return chain.Role(n) },
			[]string{"unspecified", "client", "middle", "server", "role(4)"}},
		{"side", func(n uint8) fmt.Stringer { return chain.Side(n) },
			[]string{"left", "right", "side(2)"}},
		{"direction", func(n uint8) fmt.Stringer { return chain.Direction(n) },
			[]string{"rightward", "leftward", "direction(2)"}},
		{"family", func(n uint8) fmt.Stringer { return chain.Family(n) },
			[]string{"family(0)", "family(1)", "family(2)", "family(3)", "IPv4", "family(5)", "IPv6", "family(7)"}},
		{"state", func(n uint8) fmt.Stringer { return chain.State(n) },
			[]string{"none", "syn", "established", "closing", "closed", "reset", "state(6)"}},
		{"setup", func(n uint8) fmt.Stringer { return chain.Setup(n) },
			[]string{"unspecified", "in-band", "waiting", "out-of-band", "failed", "blocked", "bypassed", "setup(7)"}},
	}
	for _, tt := range tests {
		t.Run(tt.noun, func(t *testing.T) {
			var got []string
			for n := range len(tt.want) {
				got = append(got, tt.name(uint8(n)).String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseState(t *testing.T) {
	for s := chain.StateNone; s <= chain.StateReset; s++ {
		if got, err := chain.ParseState(s.String()); err != nil || got != s {
			t.Errorf("ParseState(%s) = %v, %v", s, got, err)
		}
	}
	for _, text := range []string{"", "SYN", "state(6)"} {
		if got, err := chain.ParseState(text); err == nil {
			t.Errorf("ParseState(%q) = %v, want an error", text, got)
		}
	}
}

func TestParseSetup(t *testing.T) {
	for s := chain.SetupUnspecified; s <= chain.SetupBypassed; s++ {
		if got, err := chain.ParseSetup(s.String()); err != nil || got != s {
			t.Errorf("ParseSetup(%s) = %v, %v", s, got, err)
		}
	}
	for _, text := range []string{"", "done", "setup(7)"} {
		if got, err := chain.ParseSetup(text); err == nil {
			t.Errorf("ParseSetup(%q) = %v, want an error", text, got)
		}
	}
}

func TestStateEnded(t *testing.T) {
	var got []chain.State
	for s := chain.StateNone; s <= chain.StateReset; s++ {
		if s.Ended() {
			got = append(got, s)
		}
	}
	if diff := cmp.Diff([]chain.State{chain.StateClosed, chain.StateReset}, got); diff != "" {
		t.Errorf("ended states (-want +got):\n%s", diff)
	}
}

// A packet to the server comes from the left and leaves to the right.
func TestDirectionSides(t *testing.T) {
	if d := chain.Rightward; d.From() != chain.Left || d.To() != chain.Right || d.Opposite() != chain.Leftward {
		t.Errorf("%v: from %v to %v, opposite %v", d, d.From(), d.To(), d.Opposite())
	}
	if d := chain.Leftward; d.From() != chain.Right || d.To() != chain.Left || d.Opposite() != chain.Rightward {
		t.Errorf("%v: from %v to %v, opposite %v", d, d.From(), d.To(), d.Opposite())
	}
	if chain.Left.Opposite() != chain.Right || chain.Right.Opposite() != chain.Left {
		t.Error("the sides are not opposite")
	}
}

func TestParseProtocol(t *testing.T) {
	for n := range 256 {
		if got, err := chain.ParseProtocol(chain.ProtocolName(uint8(n))); err != nil || int(got) != n {
			t.Errorf("protocol %d reads as %d, %v", n, got, err)
		}
	}
	for _, text := range []string{"", "TCP", "-1", "256", "icmp", "0x6"} {
		if got, err := chain.ParseProtocol(text); err == nil {
			t.Errorf("ParseProtocol(%q) = %d, want an error", text, got)
		}
	}
}
