// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
)

// result is what was found of a row.
type result struct {
	Name    string    `json:"name"`
	Packets int       `json:"packets"` // in each window
	Samples []float64 `json:"samples"` // instructions a packet, of each window
}

// options of run.
type options struct {
	out      string
	rows     string
	windows  int
	packets  int
	symbols  string // also copy the guest's symbols there
	progress string // before each line of progress
}

// run measures rows, in a guest, and writes what it finds.
func run(o options) error {
	if least := endpointConns * turn; o.packets < least || o.packets%least != 0 {
		return fmt.Errorf("read number of packets: %d is no multiple of %d", o.packets, least)
	}
	rows, err := choose(allRows(), o.rows)
	if err != nil {
		return err
	}
	// What collects garbage while packets are counted is counted, too.
	debug.SetGCPercent(-1)
	if err := command("sh", "-ec", quiet+big+"modprobe ip_vs conn_tab_bits=17; modprobe ip_vs_rr; modprobe pktgen\n"); err != nil {
		return err
	}
	// The module is loaded once: its symbols stay where they are.
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(rank(a), rank(b)) })
	var results []result
	for i, r := range rows {
		if err := load(r.module); err != nil {
			return err
		}
		debug.FreeOSMemory()
		m := &meter{windows: o.windows, packets: o.packets}
		if err := r.measure(m); err != nil {
			return fmt.Errorf("measure %s: %w", r.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s%3d/%d  %-24s %8.0f\n", o.progress, i+1, len(rows), r.name, median(m.samples))
		results = append(results, result{r.name, m.counted, m.samples})
	}
	if o.symbols != "" {
		if err := copyFile("/proc/kallsyms", o.symbols); err != nil {
			return err
		}
	}
	return writeJSON(o.out, results)
}

// quiet turns off what the kernel does now and then of its own accord. Huge
// pages are off as well, by the parameter transparent_hugepage=never: to make
// one of 512 pages would count as a packet's doing.
const quiet = `sysctl -eqw kernel.watchdog=0 vm.compaction_proactiveness=0 vm.stat_interval=3600 \
	vm.dirty_writeback_centisecs=0 kernel.numa_balancing=0
`

// rank puts rows without the module first.
func rank(r row) int {
	if r.module {
		return 1
	}
	return 0
}

// load makes the module be there or not.
func load(want bool) error {
	_, err := os.Stat("/sys/module/mbchain")
	if have := err == nil; have == want {
		return nil
	}
	if want {
		return insertModule()
	}
	return command("rmmod", "mbchain")
}

func writeJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}

func readResults(name string) ([]result, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	var results []result
	if err := json.Unmarshal(b, &results); err != nil {
		return nil, fmt.Errorf("read results of %s: %w", name, err)
	}
	return results, nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	if len(v)%2 == 0 {
		return (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return v[len(v)/2]
}
