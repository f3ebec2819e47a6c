// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// keepPatches has somebody else, in the guest's own namespace, look at packets and want to
// know when they came. The kernel writes into its own code what of that anybody wants,
// and takes it out with the last one who does; emulators of several processors get that
// wrong now and then while packets pass, and the guest dies of "Oops: int3". So nobody in
// a test is the first or the last. It lasts as long as the program.
func keepPatches() error {
	if os.Getenv("MBCHAIN_ICOUNT") == "1" {
		return nil // one processor
	}
	table := "table inet keep {\n"
	for _, hook := range []string{"prerouting", "input", "forward", "output", "postrouting"} {
		table += fmt.Sprintf("chain %s { type filter hook %[1]s priority 0; }\n", hook)
	}
	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(table + "}\n")
	if out, err := nft.CombinedOutput(); err != nil {
		return fmt.Errorf("keep hooks: %w: %s", err, out)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1)
	}
	if err != nil {
		return fmt.Errorf("keep time stamps: %w", err)
	}
	return nil
}
