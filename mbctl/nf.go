// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) nfCommand() *cli.Command {
	return &cli.Command{
		Name:  "nf",
		Usage: "list instances of network functions, drain and undrain them",
		Description: describe(`An instance is what the policy's types name: one network function on one host. New
sessions get those that are fit for them.`,
			"mbctl nf list", "mbctl nf drain mb1 --wait"),
		Subcommands: []*cli.Command{
			{
				Name:      "list",
				Usage:     "list the instances of the running policy, one line each",
				ArgsUsage: "[--type TYPE]",
				Description: describe(`STATE says how the instance's host stands: ok, overloaded, impaired (no
module, or no device for the NF), silent (its agent is not heard of), failed (a probe
says so), drained, or unknown. SHARE is its part of the new
sessions of its type: "-" where it gets none. CPU is that of the host, NF CPU that of
the processes that agentd was told to watch. Lines below the table say why, and how
many live sessions have to leave what is drained.`,
					"mbctl nf list", "mbctl nf list --type firewall",
					"mbctl nf list --json | jq -r '.instances[] | select(.chosen | not).host'"),
				Flags:  []cli.Flag{&cli.StringFlag{Name: "type", Usage: "only instances of this NF `TYPE`"}},
				Action: w.action(w.nfList),
			},
			{
				Name:      "drain",
				Usage:     "have an instance, or all of a host, get no new sessions, and move its live ones",
				ArgsUsage: "NAME|TYPE/NAME [--wait]",
				Description: describe(`NAME is a host, or what the policy calls its instance: everything on the host is
drained. TYPE/NAME drains its instance of one type. New sessions turn away within a
second; live ones take another instance without loss, those of rules with
live-sessions new-only, too. It stays so until nf undrain. If every instance of a type
is drained, new sessions meet their rule's on-failure.`,
					"mbctl nf drain mb1 --wait", "mbctl nf drain firewall/mb1", "mbctl nf drain mb1 --wait --timeout 1h"),
				Flags: []cli.Flag{&cli.BoolFlag{Name: "wait", DisableDefaultText: true,
					Usage: "wait until no live session has to leave any more, for as long as --timeout says (10m)"}},
				Action: w.action(w.nfDrain, migrateWait),
			},
			{
				Name:      "undrain",
				Usage:     "let an instance, or all of a host, get new sessions again",
				ArgsUsage: "NAME|TYPE/NAME",
				Description: describe(`Live sessions that have left stay where they are.`,
					"mbctl nf undrain mb1", "mbctl nf undrain firewall/mb1"),
				Action: w.action(w.nfUndrain),
			},
		},
	}
}

// nfListView is what nf list prints in JSON.
type nfListView struct {
	PolicyVersion uint64         `json:"policy_version"`
	Instances     []instanceView `json:"instances"`
	Drains        []drainView    `json:"drains"`
}

type instanceView struct {
	Type     string    `json:"type"`
	Name     string    `json:"name"`
	Host     string    `json:"host"` // empty: unknown
	Address  string    `json:"address"`
	Address6 string    `json:"address6"`
	Weight   uint32    `json:"weight"`
	State    string    `json:"state"`
	Why      string    `json:"why"`
	Since    string    `json:"since"` // RFC 3339; empty: unknown
	Chosen   bool      `json:"chosen"`
	Share    uint32    `json:"share"`
	Load     *loadView `json:"load"` // null: never reported
}

type loadView struct {
	CPUPermille   uint32  `json:"cpu_permille"`
	NFCPUPermille *uint32 `json:"nf_cpu_permille"` // null: not watched
	Sessions      uint32  `json:"sessions"`
	MaxSessions   uint32  `json:"max_sessions"`
	Packets       uint64  `json:"packets"`
	Drops         uint64  `json:"drops"`
	Probe         string  `json:"probe"`
	ProbeError    string  `json:"probe_error"`
	Impaired      string  `json:"impaired"`
	TooBusy       uint32  `json:"too_busy_permille"`
}

// drainView is a drain in JSON; nf drain prints one.
type drainView struct {
	Host   string `json:"host"`
	Type   string `json:"type"` // empty: all
	By     string `json:"by"`
	Since  string `json:"since"`
	Looked string `json:"looked"` // RFC 3339; empty: not yet
	Left   uint32 `json:"left"`
	Moving uint32 `json:"moving"`
	Stuck  string `json:"stuck"`
}

var probeWords = map[proto.Probe]string{
	proto.Probe_PROBE_NONE: "none", proto.Probe_PROBE_PASSED: "passed", proto.Probe_PROBE_FAILED: "failed",
}

func viewNFInstance(in *proto.NFInstance) instanceView {
	v := instanceView{
		Type: in.Type, Name: in.Name, Host: in.Host, Address: in.Address, Address6: in.Address6, Weight: in.Weight,
		State: in.State, Why: in.Why, Since: timeJSON(in.SinceUnixMs), Chosen: in.Chosen, Share: in.Share,
	}
	if l := in.Load; l != nil {
		v.Load = &loadView{CPUPermille: l.CpuPermille, NFCPUPermille: l.NfCpuPermille, Sessions: l.Sessions, MaxSessions: l.MaxSessions,
			Packets: l.Packets, Drops: l.Drops, Probe: probeWords[l.Probe], ProbeError: l.ProbeError, Impaired: l.Impaired, TooBusy: l.TooBusyPermille}
	}
	return v
}

func viewDrain(d *proto.Drain) drainView {
	return drainView{Host: d.Host, Type: d.Type, By: d.By, Since: timeJSON(d.SinceUnixMs), Looked: timeJSON(d.LookedUnixMs),
		Left: d.Left, Moving: d.Moving, Stuck: d.Stuck}
}

func (w *world) nfList(c *cli.Context) error {
	p, _, err := w.policydAndOperands(c, 0, 0)
	if err != nil {
		return err
	}
	got, err := p.nfs.List(c.Context, &proto.ListNFsRequest{})
	if err != nil {
		return p.failed(err)
	}
	if only := c.String("type"); only != "" {
		got.Instances = slices.DeleteFunc(got.Instances, func(in *proto.NFInstance) bool { return in.Type != only })
		if len(got.Instances) == 0 {
			return notFound("see `mbctl nf list`", "list instances: the running policy has no NF type %q", only)
		}
		got.Drains = slices.DeleteFunc(got.Drains, func(d *proto.Drain) bool {
			return d.Type != "" && d.Type != only ||
				!slices.ContainsFunc(got.Instances, func(in *proto.NFInstance) bool { return in.Host == d.Host })
		})
	}
	if c.Bool("json") {
		view := nfListView{PolicyVersion: got.PolicyVersion, Instances: []instanceView{}, Drains: []drainView{}}
		for _, in := range got.Instances {
			view.Instances = append(view.Instances, viewNFInstance(in))
		}
		for _, d := range got.Drains {
			view.Drains = append(view.Drains, viewDrain(d))
		}
		return w.printJSON(view)
	}
	w.printInstances(got)
	return nil
}

func (w *world) printInstances(got *proto.ListNFsResponse) {
	if len(got.Instances) == 0 {
		w.printf("the running policy names no network function; see `mbctl policy show`\n")
	} else {
		t := newTable("TYPE", "INSTANCE", "HOST", "STATE", "SINCE", "SHARE", "CPU", "NF CPU", "SESSIONS", "PROBE")
		for _, in := range got.Instances {
			t.add(w.instanceCells(in)...)
		}
		t.print(w)
	}
	for _, in := range got.Instances {
		if in.Why != "" {
			w.printf("%s: %s\n", instanceText(in), in.Why)
		}
	}
	for _, d := range got.Drains {
		w.printf("%s: %s\n", drainText(d), leavingText(d))
	}
}

func (w *world) instanceCells(in *proto.NFInstance) []cell {
	since, share, cpu, nfCPU, sessions, probe := "", "-", "-", "-", "-", ""
	if in.SinceUnixMs != 0 {
		since = w.agoText(in.SinceUnixMs)
	}
	if in.Chosen {
		share = fmt.Sprint(in.Share)
	}
	if l := in.Load; l != nil {
		cpu, sessions, probe = percentText(l.CpuPermille), countText(uint64(l.Sessions)), probeWords[l.Probe]
		if l.NfCpuPermille != nil {
			nfCPU = percentText(*l.NfCpuPermille)
		}
	}
	return []cell{text(in.Type), text(strings.TrimPrefix(in.Name+" "+addressesText(in), " ")), text(in.Host),
		tinted(stateColour(in), in.State), text(since), figure(share), figure(cpu), figure(nfCPU), figure(sessions), text(probe)}
}

func stateColour(in *proto.NFInstance) colour {
	switch {
	case in.State == "failed" || in.State == "silent":
		return red
	case !in.Chosen || in.State == "overloaded":
		return yellow
	}
	return plain
}

func percentText(permille uint32) string { return fmt.Sprintf("%d%%", permille/10) }

func addressesText(in *proto.NFInstance) string {
	return strings.Trim(in.Address+" "+in.Address6, " ")
}

// instanceText is "firewall/mb1", or with the address of one without a name.
func instanceText(in *proto.NFInstance) string {
	name := in.Name
	for _, other := range []string{in.Address, in.Address6} {
		if name == "" {
			name = other
		}
	}
	return in.Type + "/" + name
}

func drainText(d *proto.Drain) string {
	if d.Type == "" {
		return d.Host + " is drained"
	}
	return d.Type + "/" + d.Host + " is drained"
}

// leavingText says how far a drain is.
func leavingText(d *proto.Drain) string {
	switch {
	case d.LookedUnixMs == 0:
		return "it was not looked yet which live sessions have to leave"
	case d.Left == 0:
		return "no live session has to leave any more"
	case d.Stuck != "":
		return plural(d.Left, "live session") + " left; one cannot leave: " + d.Stuck
	}
	return plural(d.Left, "live session") + " left"
}
