// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"

	"mbchain/genl"
)

// host is a network namespace.
type host struct {
	name   string
	addr   netip.Addr // the one that sessions use
	module *genl.Client
}

func newHost(name string, addr netip.Addr) (*host, error) {
	h := &host{name: name, addr: addr}
	var err error
	h.module, err = genl.NewClient(h.dialModule)
	return h, err
}

// dialModule opens a connection to the module of h, whichever thread calls it: a client
// dials again after a request that was given up.
func (h *host) dialModule() (conn *genetlink.Conn, err error) {
	err = h.in(func() error {
		conn, err = genl.Dial()
		return err
	})
	return conn, err
}

// port is an end of a session at h.
func (h *host) port(n uint16) netip.AddrPort { return netip.AddrPortFrom(h.addr, n) }

// in runs f on a thread inside the namespace. Sockets that f opens and
// programs that it starts stay there. The thread ends with f.
func (h *host) in(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		result <- h.enter(f)
	}()
	return <-result
}

func (h *host) enter(f func() error) error {
	ns, err := os.Open(filepath.Join("/run/netns", h.name))
	if err != nil {
		return fmt.Errorf("enter host %s: %w", h.name, err)
	}
	defer func() { _ = ns.Close() }()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter host %s: %w", h.name, err)
	}
	return f()
}

// run runs a program and returns its standard output, without the last newline.
func (h *host) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return h.feed(t, "", name, args...)
}

// feed is run with standard input.
func (h *host) feed(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := h.output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// output runs a program. Its error quotes what the program said.
func (h *host) output(cmd *exec.Cmd) (string, error) {
	var out, said bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &said
	if err := h.in(cmd.Start); err != nil {
		return "", fmt.Errorf("start %s on %s: %w", cmd, h.name, err)
	}
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("run %s on %s: %w: %s", cmd, h.name, err, bytes.TrimSpace(said.Bytes()))
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// start runs a program, and what it starts, until the test ends.
func (h *host) start(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := h.in(cmd.Start); err != nil {
		t.Fatalf("start %s on %s: %v", cmd, h.name, err)
	}
	t.Cleanup(func() {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s on %s said: %s", cmd, h.name, bytes.TrimSpace(said.Bytes()))
		}
	})
}

// set writes to a file of /proc/sys/net. What it held comes back when the test
// ends, if the host is still there.
func (h *host) set(t *testing.T, name, value string) {
	t.Helper()
	path := filepath.Join("/proc/sys/net", name)
	old, err := within(h, func() ([]byte, error) {
		old, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return old, os.WriteFile(path, []byte(value), 0)
	})
	if err != nil {
		t.Fatalf("set %s of %s: %v", name, h.name, err)
	}
	t.Cleanup(func() {
		err := h.in(func() error { return os.WriteFile(path, old, 0) })
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("set %s of %s back: %v", name, h.name, err)
		}
	})
}

// write writes to a file of /proc/sys/net.
func (h *host) write(name, value string) error {
	return h.in(func() error { return os.WriteFile(filepath.Join("/proc/sys/net", name), []byte(value), 0) })
}

// nft loads rules into a table of their own, which goes when the test ends.
// The table is of family inet, unless its name says which: "bridge filter". The
// text stands inside the table's braces.
func (h *host) nft(t *testing.T, table, text string) {
	t.Helper()
	if !strings.Contains(table, " ") {
		table = "inet " + table
	}
	h.feed(t, fmt.Sprintf("table %s {\n%s\n}\n", table, text), "nft", "-f", "-")
	t.Cleanup(func() { _, _ = h.output(exec.Command("nft", "delete table "+table)) })
}

// impair makes the links between neighbouring hosts worse, in both directions,
// until the test ends.
func impair(t *testing.T, hosts []*host, how ...string) {
	t.Helper()
	for i, h := range hosts {
		for _, device := range []string{"left", "right"} {
			if i == 0 && device == "left" || i == len(hosts)-1 && device == "right" {
				continue
			}
			h.run(t, "tc", append([]string{"qdisc", "add", "dev", device, "root", "netem", "limit", "100000"}, how...)...)
			t.Cleanup(func() { h.run(t, "tc", "qdisc", "delete", "dev", device, "root") })
		}
	}
}

// within is in for a function with a result.
func within[T any](h *host, f func() (T, error)) (T, error) {
	var result T
	err := h.in(func() (err error) {
		result, err = f()
		return err
	})
	return result, err
}

// lastLines returns the end of what a program said.
func lastLines(out string, n int) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
