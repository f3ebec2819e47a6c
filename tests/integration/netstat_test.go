// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// netstat is what a host's kernel has counted since the host is there, by the
// names that nstat uses.
func (h *host) netstat() (map[string]int64, error) {
	counted := make(map[string]int64)
	err := h.in(func() error {
		for _, name := range []string{"snmp", "netstat"} {
			text, err := os.ReadFile("/proc/thread-self/net/" + name)
			if err != nil {
				return err
			}
			if err := readTitled(string(text), counted); err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
		}
		text, err := os.ReadFile("/proc/thread-self/net/snmp6")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, " ")
			if counted[name], err = strconv.ParseInt(strings.TrimSpace(value), 10, 64); err != nil {
				return fmt.Errorf("read snmp6: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask the kernel of %s: %w", h.name, err)
	}
	return counted, nil
}

// netstatOf is one of them.
func (h *host) netstatOf(t *testing.T, name string) int64 {
	t.Helper()
	counted, err := h.netstat()
	if err != nil {
		t.Fatal(err)
	}
	return counted[name]
}

// readTitled reads pairs of lines, names and values, both with a group's name in
// front: "Tcp: InSegs ..." and "Tcp: 5 ...".
func readTitled(text string, counted map[string]int64) error {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if len(names) != len(values) || names[0] != values[0] {
			return fmt.Errorf("%q does not belong to %q", lines[i+1], lines[i])
		}
		group := strings.TrimSuffix(names[0], ":")
		for j, name := range names[1:] {
			n, err := strconv.ParseInt(values[j+1], 10, 64)
			if err != nil {
				return err
			}
			counted[group+name] = n
		}
	}
	return nil
}
