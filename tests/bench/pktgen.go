// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
)

const pktgenDir = "/proc/thread-self/net/pktgen/"

// generate sends n packets of the flows with the kernel's pktgen instead of a
// packet socket. They carry no checksum, as IPv4 allows.
func (fl *flows) generate(n int) error {
	first, last := fl.seg[0].tuple, fl.seg[len(fl.seg)-1].tuple
	if first.Destination != last.Destination {
		return fmt.Errorf("start pktgen: %d flows are more than it has ports for", len(fl.seg))
	}
	_, err := within(client, func() (struct{}, error) {
		for _, step := range []struct{ file, words string }{
			{"kpktgend_0", "rem_device_all"},
			{"kpktgend_0", "add_device " + c0.name},
			{c0.name, strings.Join(pktgenWords(n, first.Source, last.Source, first.Destination), "\n")},
			{"pgctrl", "start"}, // returns when they are sent
		} {
			for word := range strings.SplitSeq(step.words, "\n") {
				if err := os.WriteFile(pktgenDir+step.file, []byte(word+"\n"), 0); err != nil {
					return struct{}{}, fmt.Errorf("tell pktgen %q: %w", word, err)
				}
			}
		}
		return struct{}{}, nil
	})
	return err
}

// pktgenWords are n packets from these ends in turn.
func pktgenWords(n int, from, last, to netip.AddrPort) []string {
	return []string{
		fmt.Sprint("count ", n), "delay 0", "clone_skb 0",
		fmt.Sprint("pkt_size ", etherLen+20+tcpLen+dataLen), // as long as the others
		"dst_mac " + c0.peer.String(),
		fmt.Sprint("src_min ", from.Addr()), fmt.Sprint("src_max ", from.Addr()), fmt.Sprint("dst_min ", to.Addr()),
		fmt.Sprint("udp_src_min ", from.Port()), fmt.Sprint("udp_src_max ", last.Port()+1),
		fmt.Sprint("udp_dst_min ", to.Port()), fmt.Sprint("udp_dst_max ", to.Port()),
	}
}

// generated is how many nanoseconds pktgen took, which begins and ends at its
// leisure.
func generated() (int64, error) {
	said, err := within(client, func() ([]byte, error) { return os.ReadFile(pktgenDir + c0.name) })
	if err != nil {
		return 0, fmt.Errorf("read result of pktgen: %w", err)
	}
	_, result, _ := strings.Cut(string(said), "Result: ")
	var micros int64
	if _, err := fmt.Sscanf(result, "OK: %d(", &micros); err != nil {
		return 0, fmt.Errorf("read result of pktgen %q: %w", result, err)
	}
	return micros * 1000, nil
}
