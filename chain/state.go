// SPDX-License-Identifier: Apache-2.0

package chain

import "fmt"

// State is how far a session has come, as a host on its path can tell (enum
// mbc_tcp_state). One over UDP is in StateSYN until an answer passes, and
// established from then on.
type State uint8

// The states. Append-only: the numbers are the kernel's, the names those of
// the field "state" in proto/common.proto.
const (
	StateNone        State = iota // nothing seen yet
	StateSYN                      // SYN seen, no answer yet
	StateEstablished              // SYN-ACK seen
	StateClosing                  // one side's FIN seen
	StateClosed                   // both FINs seen and acknowledged
	StateReset                    // RST seen and nothing but RST since
)

var stateNames = [...]string{"none", "syn", "established", "closing", "closed", "reset"}

// String returns the state's name in lower case.
func (s State) String() string { return name("state", stateNames[:], uint8(s)) }

// Ended reports whether the session is over as far as can be told. A reset one
// comes back to life when an end host judged the RST invalid (RFC 5961).
func (s State) Ended() bool { return s == StateClosed || s == StateReset }

// ParseState reads what [State.String] returns for a state that has a name.
func ParseState(s string) (State, error) {
	for i, n := range stateNames {
		if n == s {
			return State(i), nil
		}
	}
	return StateNone, fmt.Errorf("parse state %q: not one of %q", s, stateNames)
}
