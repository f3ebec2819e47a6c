// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// keepPatches has somebody else, in the guest's own namespace, want of the kernel what
// tests want of it: hooks, filters, packets of another processor, when packets came, UDP
// in one piece. The kernel writes into its own code what of that anybody wants, and takes
// it out with the last one who does; emulators of several processors get that wrong now
// and then while packets pass, and the guest dies of "Oops: int3". So nobody in a test is
// the first or the last. It lasts as long as the program.
//
// What is written shows in a guest with a probe at arch_jump_label_transform_queue.
func keepPatches() error {
	if os.Getenv("MBCHAIN_ICOUNT") == "1" {
		return nil // one processor
	}
	hooks := func(table, device string, names ...string) string {
		text := "table " + table + " keep {\n"
		for _, name := range names {
			text += fmt.Sprintf("chain %s { type filter hook %[1]s %spriority 0; }\n", name, device)
		}
		return text + "}\n"
	}
	all := []string{"prerouting", "input", "forward", "output", "postrouting"}
	tables := hooks("inet", "", all...) + hooks("bridge", "", all...) +
		hooks("netdev", "device lo ", "ingress", "egress")
	for _, c := range []struct{ input, command string }{
		{tables, "nft -f -"},
		{"", "tc qdisc add dev lo clsact"},
		{"", "tc filter add dev lo ingress matchall action pass"},
		{"", "tc filter add dev lo egress matchall action pass"},
	} {
		words := strings.Fields(c.command)
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Stdin = strings.NewReader(c.input)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("keep patches: %s: %w: %s", c.command, err, out)
		}
	}
	if err := os.WriteFile("/sys/class/net/lo/queues/rx-0/rps_cpus", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("keep patches: %w", err)
	}
	for _, nobody := range []string{"127.0.0.1:1", "[::1]:1"} {
		// The first connection has the kernel draw its secrets, and never ask again.
		c, err := net.Dial("tcp", nobody)
		if err == nil {
			c.Close()
		} else if !errors.Is(err, unix.ECONNREFUSED) {
			return fmt.Errorf("keep patches: %w", err)
		}
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) // left open
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1)
		}
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1)
		}
		if err != nil {
			return fmt.Errorf("keep patches: a socket that wants time stamps and long datagrams: %w", err)
		}
	}
	return nil
}
