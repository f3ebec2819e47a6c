// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/mbctl/internal/chainview"
)

func (w *world) sessionListCommand() *cli.Command {
	return &cli.Command{
		Name:      "list",
		Usage:     "list sessions, one line each, the oldest first",
		ArgsUsage: "[--host NAME] [--match PREDICATE] [--state STATE]...",
		Description: describe(`The packets and bytes are those the client's host sent and received; "?" in
HOSTS is a host that reported nothing of the session. SET-UP is in-band, by the
SYN; out-of-band, by the agents; waiting for them; or blocked or bypassed because
they failed.`,
			"mbctl session list",
			"mbctl session list --host mb1 --state established",
			"mbctl session list --match 'dstport=80 & srcip=10.0.0.0/24' --json",
			"mbctl --agent "+agentSocket+" session list"),
		Flags:  append(filterFlags(), hostFlag(), limitFlag()),
		Action: w.action(w.sessionList),
	}
}

func hostFlag() cli.Flag {
	return &cli.StringFlag{Name: "host", Usage: "ask the host `NAME` alone"}
}

func limitFlag() cli.Flag {
	return &cli.UintFlag{Name: "limit", Value: 10000, Usage: "at most `N` sessions of each host"}
}

// sessionListView is what session list prints in JSON.
type sessionListView struct {
	Sessions  []chainView   `json:"sessions"`
	Missing   []missingView `json:"missing"`
	Truncated bool          `json:"truncated"`
}

func (w *world) sessionList(c *cli.Context) error {
	if _, err := operands(c, 0, 0); err != nil {
		return err
	}
	from, err := w.source(c)
	if err != nil {
		return err
	}
	s, err := w.sessions(c, from, "", nil)
	if err != nil {
		return err
	}
	s.warn(w)
	if c.Bool("json") {
		view := sessionListView{Sessions: []chainView{}, Missing: viewMissing(s.missing), Truncated: s.truncated}
		for _, chain := range s.chains {
			view.Sessions = append(view.Sessions, viewChain(chain, nil))
		}
		err = w.printJSON(view)
	} else {
		w.printSessions(s)
	}
	if err == nil && len(s.missing) > 0 {
		err = silent(exitHosts)
	}
	return err
}

func (w *world) printSessions(s *sessions) {
	if len(s.chains) == 0 {
		w.printf("no session\n")
		return
	}
	t := newTable("ID", "STATE", "PROTO", "SET-UP", "CLIENT", "SERVER", "RULE", "PACKETS", "BYTES", "AGE", "HOSTS")
	digits := idDigits(s.chains)
	for _, chain := range s.chains {
		first := chain.First()
		packets, bytes := totals(chain)
		t.add(text(cut8(chain.ID, digits)), text(first.State),
			text(protocolText(chain.Super.GetProtocol())), setupCell(chain),
			text(endText(chain.Super.GetSource(), chain.Super.GetSourcePort())),
			text(endText(chain.Super.GetDestination(), chain.Super.GetDestinationPort())),
			figure(ruleText(chain)), number(packets), figure(bytesText(bytes)),
			figure(millisText(first.AgeMs)), cell{text: routeText(chain)})
	}
	t.print(w)
}

// idDigits is how many digits tell all the sessions apart, 8 at least.
func idDigits(chains []chainview.Chain) int {
	ids := make([]string, len(chains))
	for i, chain := range chains {
		ids[i] = chain.ID
	}
	return digitsApart(ids)
}

// digitsApart is how many digits tell ids apart, each of which is there once; 8 at
// least.
func digitsApart(ids []string) int {
	digits := 8
	seen := make(map[string]bool)
	for i := 0; i < len(ids); i++ {
		id := cut8(ids[i], digits)
		if seen[id] && digits < len(ids[i]) {
			digits, i = digits+1, -1
			clear(seen)
			continue
		}
		seen[id] = true
	}
	return digits
}

func cut8(id string, digits int) string { return id[:min(digits, len(id))] }

// totals are the packets and bytes of both directions, where the chain's
// first record counted them: at the client, if that reported.
func totals(c chainview.Chain) (packets, bytes uint64) {
	side := c.First().GetRight()
	if side == nil {
		side = c.First().GetLeft()
	}
	return side.GetInPackets() + side.GetOutPackets(), side.GetInBytes() + side.GetOutBytes()
}

// ruleText is the rule's number, "-" where the client's host did not say.
func ruleText(c chainview.Chain) string {
	if c.Rule == 0 {
		return "-"
	}
	return fmt.Sprint(c.Rule)
}

func routeText(c chainview.Chain) string {
	names := make([]string, len(c.Hosts))
	for i, h := range c.Hosts {
		names[i] = h.Label()
		if h.Record == nil && !h.Agentless {
			names[i] = "?"
		}
	}
	return strings.Join(names, " ")
}
