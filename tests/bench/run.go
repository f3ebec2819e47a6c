// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"mbchain/chain"
)

const passes = 10 // of all flows, after one that warms up

// row is one line of build/bench.json.
type row struct {
	Name                  string  `json:"name"`
	InstructionsPerPacket float64 `json:"instructions_per_packet"`
	Ratio                 float64 `json:"ratio"` // to the first row, plain forwarding
}

// run measures every scenario whose name contains filter and writes the rows.
func run(out, filter string, flows int) error {
	var rows []row
	loaded := false
	for i, s := range scenarios {
		if i > 0 && !strings.Contains(s.name, filter) {
			continue
		}
		if s.module && !loaded {
			if err := insertModule(); err != nil {
				return err
			}
			loaded = true
		}
		fmt.Fprintf(os.Stderr, "%-50s ", s.name)
		cost, err := measure(s, flows)
		if err != nil {
			return fmt.Errorf("measure %s: %w", s.name, err)
		}
		r := row{Name: s.name, InstructionsPerPacket: cost, Ratio: 1}
		if len(rows) > 0 {
			r.Ratio = cost / rows[0].InstructionsPerPacket
		}
		rows = append(rows, r)
		fmt.Fprintf(os.Stderr, "%7.0f  %.2f\n", r.InstructionsPerPacket, r.Ratio)
	}
	b, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	k, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		return err
	}
	if err := os.WriteFile("build/vm-out/kallsyms", k, 0o644); err != nil {
		return err
	}
	return os.WriteFile(out, append(b, '\n'), 0o644)
}

// measure is the cost of one packet from when it reaches the middle host to
// when it reaches the server, in instructions.
func measure(s scenario, flows int) (float64, error) {
	if err := topology(); err != nil {
		return 0, err
	}
	if err := sh(middle, s.setUp); err != nil {
		return 0, err
	}
	if err := sh(server, s.remote); err != nil {
		return 0, err
	}
	if s.module {
		for _, h := range []string{client, middle, server} {
			words := []string{"configure"}
			if h == client && s.chain {
				words = append(words, "--chain")
			}
			if _, err := again(h, "", words...); err != nil {
				return 0, err
			}
		}
	}

	sink, _, err := hold(server, "serve")
	if err != nil {
		return 0, err
	}
	defer sink.close()
	source, ends, err := hold(client, "dial", s.target, strconv.Itoa(flows))
	if err != nil {
		return 0, err
	}
	defer source.close()
	tuples, err := wire(s, ends)
	if err != nil {
		return 0, err
	}

	if err := drop(server, "s0"); err != nil {
		return 0, err
	}
	there, err := nanoseconds(tuples)
	if err != nil {
		return 0, err
	}
	if err := drop(middle, "m0"); err != nil {
		return 0, err
	}
	sending, err := nanoseconds(tuples)
	if err != nil {
		return 0, err
	}
	return float64(there-sending) / float64(passes*flows), nil
}

// wire is the tuples that the client's packets have as they reach the middle
// host, one a line. ends is what "bench dial" printed.
func wire(s scenario, ends string) (string, error) {
	var locals []netip.AddrPort
	if err := json.Unmarshal([]byte(ends), &locals); err != nil {
		return "", fmt.Errorf("read connections: %w", err)
	}
	sub := map[uint16]chain.FiveTuple{}
	if s.chain {
		text, err := again(client, "", "subsessions")
		if err != nil {
			return "", err
		}
		if err := json.Unmarshal([]byte(text), &sub); err != nil {
			return "", fmt.Errorf("read subsessions: %w", err)
		}
	}
	var b strings.Builder
	for _, l := range locals {
		t := chain.FiveTuple{
			Source:      l,
			Destination: netip.AddrPortFrom(netip.MustParseAddr(s.target), 80),
			Protocol:    chain.ProtocolTCP,
		}
		if s.chain {
			var ok bool
			if t, ok = sub[l.Port()]; !ok {
				return "", fmt.Errorf("find subsession of %s: it is not chained", l)
			}
		}
		fmt.Fprintln(&b, t)
	}
	return b.String(), nil
}

// nanoseconds sends frames with these tuples and says how long that took.
func nanoseconds(tuples string) (int64, error) {
	text, err := again(client, tuples, "blast", strconv.Itoa(passes))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(text), 10, 64)
}

// again runs "bench WORDS" in a namespace and returns what it printed.
func again(namespace, input string, words ...string) (string, error) {
	cmd := exec.Command("ip", append([]string{"netns", "exec", namespace, os.Args[0]}, words...)...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run %v in %s: %w", words, namespace, err)
	}
	return string(out), nil
}
