// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// fifo has what comes in by a device stay in its order, as with a network card. A veth
// leaves a packet to the processor that sent it: those of one connection that two
// processors send overtake each other when one of them is held up, which TCP takes for
// losses, with or without any migration. Each direction has a processor.
func (h *host) fifo(t *testing.T, device string) {
	t.Helper()
	if runtime.NumCPU() == 1 {
		return
	}
	processors := "1"
	if device == "right" {
		processors = "2"
	}
	err := h.in(func() error {
		if err := showDevices(); err != nil {
			return err
		}
		return os.WriteFile("/sys/class/net/"+device+"/queues/rx-0/rps_cpus", []byte(processors), 0)
	})
	if err != nil {
		t.Fatalf("keep order on %s of %s: %v", device, h.name, err)
	}
}

// showDevices has this thread see its namespace's devices in /sys.
func showDevices() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("see devices: %w", err)
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("see devices: %w", err)
	}
	if err := unix.Mount("devices", "/sys", "sysfs", 0, ""); err != nil {
		return fmt.Errorf("see devices: %w", err)
	}
	return nil
}
