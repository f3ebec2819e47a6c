// SPDX-License-Identifier: Apache-2.0

package chain

import "fmt"

// Setup is how what is right of a host came to be, or why it did not (enum
// mbc_setup_state).
type Setup uint8

// The ways. Append-only: the numbers are the kernel's, the names those of the
// field "setup" in proto/common.proto.
const (
	SetupUnspecified Setup = iota
	SetupInBand            // by the header in the SYN
	SetupWaiting           // out-of-band: packets wait for the agents
	SetupDone              // out-of-band: the agents did it
	SetupFailed            // they could not; no session stays so
	SetupBlocked           // failed: packets are dropped until it is tried anew
	SetupBypassed          // failed: packets go straight to the server till then
)

var setupNames = [...]string{
	"unspecified", "in-band", "waiting", "out-of-band", "failed", "blocked", "bypassed",
}

// String returns the way in lower case: "in-band", "waiting", "out-of-band",
// "failed", "blocked" or "bypassed".
func (s Setup) String() string { return name("setup", setupNames[:], uint8(s)) }

// ParseSetup reads what [Setup.String] returns for a way that has a name.
func ParseSetup(s string) (Setup, error) {
	for i, n := range setupNames {
		if n == s {
			return Setup(i), nil
		}
	}
	return SetupUnspecified, fmt.Errorf("parse setup %q: not one of %q", s, setupNames)
}
