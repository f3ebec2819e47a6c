// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) hostCommand() *cli.Command {
	return &cli.Command{
		Name:  "host",
		Usage: "list and show hosts",
		Description: describe("A host is a machine or network namespace whose agentd has registered.",
			"mbctl host list", "mbctl host show mb1"),
		Subcommands: []*cli.Command{
			{
				Name:      "list",
				Usage:     "list hosts, one line each",
				ArgsUsage: " ",
				Description: describe(`NF is how the host's network function gets its packets, POLICY the version that
the host runs, and the newer one offered to it. Lines below the table name hosts
whose NF is not as agentd was told, or that cannot set sessions up out-of-band,
as UDP needs it, and neighbours to which SYNs with payload do not pass.`,
					"mbctl host list", "mbctl host list --json | jq -r '.hosts[] | select(.connected | not).name'"),
				Action: w.action(w.hostList),
			},
			{
				Name:        "show",
				Usage:       "show all that is known of one host",
				ArgsUsage:   "NAME",
				Description: describe("Asks its agent; one that does not answer is shown as it last reported.", "mbctl host show mb1"),
				Action:      w.action(w.hostShow),
			},
		},
	}
}

// hostListView is what host list prints in JSON.
type hostListView struct {
	Hosts []hostView `json:"hosts"`
}

// hostView is a host in JSON; host show prints one.
type hostView struct {
	Name      string     `json:"name"`
	Addresses []string   `json:"addresses"`
	NFTypes   []string   `json:"nf_types"`
	Gateway   bool       `json:"gateway"`
	Connected bool       `json:"connected"`
	LastSeen  string     `json:"last_seen"` // RFC 3339
	Status    statusView `json:"status"`
}

func viewHost(h *proto.Host) hostView {
	return hostView{
		Name:      h.Name,
		Addresses: append([]string{}, h.Addresses...),
		NFTypes:   append([]string{}, h.NfTypes...),
		Gateway:   h.Gateway,
		Connected: h.Connected,
		LastSeen:  timeJSON(h.LastSeenUnixMs),
		Status:    viewStatus(h.Status),
	}
}

// hosts asks policyd for all hosts, by name.
func (p *policyd) hosts(c *cli.Context) ([]*proto.Host, error) {
	got, err := p.domain.ListHosts(c.Context, &proto.ListHostsRequest{})
	if err != nil {
		return nil, p.failed(err)
	}
	slices.SortFunc(got.Hosts, func(a, b *proto.Host) int { return cmp.Compare(a.Name, b.Name) })
	return got.Hosts, nil
}

func (w *world) hostList(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	hosts, err := p.hosts(c)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		view := hostListView{Hosts: []hostView{}}
		for _, h := range hosts {
			view.Hosts = append(view.Hosts, viewHost(h))
		}
		return w.printJSON(view)
	}
	w.printHosts(hosts)
	return nil
}

func (w *world) printHosts(hosts []*proto.Host) {
	if len(hosts) == 0 {
		w.printf("no host has registered yet; start agentd with --policyd on each\n")
		return
	}
	t := newTable("HOST", "CONNECTED", "ADDRESSES", "NF TYPES", "NF", "POLICY", "SESSIONS", "AGENT", "MODULE")
	for _, h := range hosts {
		t.add(text(h.Name), w.connectedCell(h), text(strings.Join(h.Addresses, ", ")),
			text(strings.Join(h.NfTypes, ", ")), nfCell(h.Status), versionCell(h.Status),
			number(uint64(h.Status.GetSessions())), text(h.Status.GetAgentVersion()),
			text(h.Status.GetModuleVersion()))
	}
	t.print(w)
	w.printNFNotes(hosts)
	w.printSetupNotes(hosts)
}

func (w *world) connectedCell(h *proto.Host) cell {
	if h.Connected {
		return text("yes")
	}
	if h.LastSeenUnixMs == 0 {
		return tinted(red, "no, never")
	}
	return tinted(red, "no, "+w.agoText(h.LastSeenUnixMs))
}

func nfCell(s *proto.HostStatus) cell {
	if s.GetNfError() != "" {
		return tinted(red, dash(s.GetNf()))
	}
	return text(dash(s.GetNf()))
}

// versionCell is the policy version of a host: "7", "6 of 7", "6, refused 7",
// and "none" without a module.
func versionCell(s *proto.HostStatus) cell {
	running, offered := s.GetPolicyVersion(), s.GetOfferedVersion()
	switch {
	case s.GetPolicyError() != "" && s.GetModuleVersion() == "":
		return tinted(red, "none")
	case s.GetPolicyError() != "":
		return tinted(red, fmt.Sprintf("%d, refused %d", running, offered))
	case offered > running:
		return tinted(yellow, fmt.Sprintf("%d of %d", running, offered))
	default:
		return text(fmt.Sprint(running))
	}
}

func (w *world) hostShow(c *cli.Context) error {
	p, args, err := w.policydAndOperands(c, 1, 1)
	if err != nil {
		return err
	}
	hosts, err := p.hosts(c)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(hosts, func(h *proto.Host) bool { return h.Name == args[0] })
	if i < 0 {
		return notFound("see `mbctl host list`", "show host %s: never registered", args[0])
	}
	if c.Bool("json") {
		return w.printJSON(viewHost(hosts[i]))
	}
	w.printHost(hosts[i])
	return nil
}

func (w *world) printHost(h *proto.Host) {
	t := &table{}
	t.add(text("host"), tinted(bold, h.Name))
	t.add(text("connected"), w.connectedCell(h))
	t.add(text("addresses"), text(strings.Join(h.Addresses, ", ")))
	t.add(text("nf types"), text(strings.Join(h.NfTypes, ", ")))
	if h.Gateway {
		t.add(text("gateway"), text("for clients without an agent"))
	}
	addStatus(t, h.Status)
	t.print(w)
}
