// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) statsCommand() *cli.Command {
	return &cli.Command{
		Name:      "stats",
		Usage:     "show the module's counters, each explained, and its memory",
		ArgsUsage: "[--host NAME] [--all]",
		Description: describe(`Every packet or session that the module does something about raises the counter
of the reason. Counters begin at 0 when the module's namespace does, and only
those that are not 0 are shown. Below them stands what memory the module has for
its sessions. Ends with 5 when a host did not answer.`,
			"mbctl stats",
			"mbctl stats --host mb1 --all",
			"mbctl stats --json | jq '.hosts[] | {host, drops: .counters.bad_packet}'"),
		Flags: []cli.Flag{
			hostFlag(),
			&cli.BoolFlag{Name: "all", DisableDefaultText: true, Usage: "show the counters that are 0, too"},
		},
		Action: w.action(w.stats),
	}
}

// statsView is what stats prints in JSON. Counters that are 0 are in it.
type statsView struct {
	Hosts   []hostStatsView `json:"hosts"`
	Missing []missingView   `json:"missing"`
}

type hostStatsView struct {
	Host     string            `json:"host"`
	Counters map[string]uint64 `json:"counters"` // by reason
	Memory   *memoryView       `json:"memory"`   // null: no module
}

// memoryView is what the module has for its sessions, in bytes.
type memoryView struct {
	Sessions     uint32 `json:"sessions"`
	SessionBytes uint32 `json:"session_bytes"` // of each
	TableBytes   uint64 `json:"table_bytes"`   // of the tables that lead to them
	Bytes        uint64 `json:"bytes"`         // in all
}

func viewMemory(s *proto.HostStatus) *memoryView {
	if s.GetModuleVersion() == "" {
		return nil
	}
	return &memoryView{s.GetSessions(), s.GetSessionBytes(), s.GetTableBytes(), sessionMemory(s)}
}

// memoryText is "3 sessions of 384 B each and tables of 8.0 KiB: 9.1 KiB".
func memoryText(m *memoryView) string {
	return fmt.Sprintf("%s of %s each and tables of %s: %s", plural(m.Sessions, "session"),
		bytesText(uint64(m.SessionBytes)), bytesText(m.TableBytes), bytesText(m.Bytes))
}

func (w *world) stats(c *cli.Context) error {
	if _, err := operands(c, 0, 0); err != nil {
		return err
	}
	from, err := w.source(c)
	if err != nil {
		return err
	}
	got, err := from.GetStats(c.Context, &proto.GetStatsRequest{Host: c.String("host")})
	if err != nil {
		return from.failed(err)
	}
	slices.SortFunc(got.Hosts, func(a, b *proto.HostStats) int { return cmp.Compare(a.Host, b.Host) })
	w.warnMissing(got.Missing)
	if c.Bool("json") {
		view := statsView{Hosts: []hostStatsView{}, Missing: viewMissing(got.Missing)}
		for _, h := range got.Hosts {
			counters := make(map[string]uint64)
			for _, counter := range h.Counters {
				counters[counter.Name] = counter.Value
			}
			view.Hosts = append(view.Hosts, hostStatsView{Host: h.Host, Counters: counters, Memory: viewMemory(h.Status)})
		}
		err = w.printJSON(view)
	} else {
		w.printStats(got.Hosts, c.Bool("all"))
	}
	if err == nil && len(got.Missing) > 0 {
		err = silent(exitHosts)
	}
	return err
}

func (w *world) printStats(hosts []*proto.HostStats, all bool) {
	for i, h := range hosts {
		if i > 0 {
			w.printf("\n")
		}
		w.printf("%s\n", w.paint(bold, h.Host))
		t := &table{}
		for _, counter := range h.Counters {
			if counter.Value != 0 || all {
				t.add(cell{text: "  " + counter.Name}, number(counter.Value), cell{text: explainCounter(counter.Name)})
			}
		}
		if len(t.rows) == 0 {
			w.printf("  every counter is 0\n")
		}
		t.print(w)
		if m := viewMemory(h.Status); m != nil {
			w.printf("  memory: %s\n", memoryText(m))
		}
	}
}
