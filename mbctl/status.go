// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) statusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "show on one screen how the domain is",
		ArgsUsage: " ",
		Description: describe(`Shows policyd, the policy, the hosts and their sessions. Ends with 5 unless every
host is connected, runs the newest policy and has its NF in place; with --agent,
unless the agent is connected to policyd, has refused nothing and has its NF.`,
			"mbctl status",
			"mbctl --agent "+agentSocket+" status"),
		Action: w.action(w.status),
	}
}

// domainView is what status prints in JSON.
type domainView struct {
	Policyd policydView      `json:"policyd"`
	Policy  policyBriefView  `json:"policy"`
	Hosts   []statusHostView `json:"hosts"`
	Summary summaryView      `json:"summary"`
}

type policydView struct {
	Address      string `json:"address"`
	Version      string `json:"version"`
	State        string `json:"state"`
	AppliedIndex uint64 `json:"applied_index"`
	UptimeMs     uint64 `json:"uptime_ms"`
}

type policyBriefView struct {
	Version uint64 `json:"version"`
	Applied string `json:"applied"`
}

type summaryView struct {
	Hosts          int  `json:"hosts"`
	HostsConnected int  `json:"hosts_connected"`
	HostsInSync    int  `json:"hosts_in_sync"`
	Healthy        bool `json:"healthy"`
}

type statusHostView struct {
	hostPolicyView
	Sessions    uint32 `json:"sessions"`
	MaxSessions uint32 `json:"max_sessions"`
}

func (w *world) status(c *cli.Context) error {
	if _, err := operands(c, 0, 0); err != nil {
		return err
	}
	if a := w.agent(c); a != nil {
		return w.agentStatus(c, a)
	}
	p, err := w.policyd(c)
	if err != nil {
		return err
	}
	d, err := p.ask(c)
	if err != nil {
		return err
	}
	sum := d.summary()
	if c.Bool("json") {
		err = w.printJSON(domainView{
			Policyd: policydView{
				Address:      c.String("policyd"),
				Version:      d.status.Version,
				State:        d.status.State,
				AppliedIndex: d.status.AppliedIndex,
				UptimeMs:     d.status.UptimeMs,
			},
			Policy:  policyBriefView{Version: d.policy.Version, Applied: timeJSON(d.policy.AppliedUnixMs)},
			Hosts:   d.viewHosts(),
			Summary: sum,
		})
	} else {
		w.printDomain(c.String("policyd"), d, sum)
	}
	if err == nil && !sum.Healthy {
		err = silent(exitHosts)
	}
	return err
}

// domain is the three answers that status is made of.
type domain struct {
	status *proto.GetStatusResponse
	policy *proto.GetResponse
	hosts  []*proto.Host
}

func (p *policyd) ask(c *cli.Context) (d domain, err error) {
	if d.status, err = p.domain.GetStatus(c.Context, &proto.GetStatusRequest{}); err != nil {
		return d, p.failed(err)
	}
	if d.policy, err = p.policy.Get(c.Context, &proto.GetRequest{}); err != nil {
		return d, p.failed(err)
	}
	d.hosts, err = p.hosts(c)
	return d, err
}

func (d domain) summary() summaryView {
	sum := summaryView{Hosts: len(d.policy.Hosts)}
	for _, h := range d.policy.Hosts {
		if h.Connected {
			sum.HostsConnected++
		}
		if stateOf(h, d.policy.Version) == hostRunning {
			sum.HostsInSync++
		}
	}
	sum.Healthy = sum.HostsConnected == sum.Hosts && sum.HostsInSync == sum.Hosts &&
		!slices.ContainsFunc(d.hosts, lacksNF)
	return sum
}

// reported is what each host's agent last said.
func (d domain) reported() map[string]*proto.HostStatus {
	reported := make(map[string]*proto.HostStatus)
	for _, h := range d.hosts {
		reported[h.Name] = h.Status
	}
	return reported
}

func (d domain) viewHosts() []statusHostView {
	reported := d.reported()
	views := []statusHostView{}
	for _, h := range viewHostPolicies(d.policy.Hosts, d.policy.Version) {
		s := reported[h.Host]
		views = append(views, statusHostView{h, s.GetSessions(), s.GetMaxSessions()})
	}
	return views
}

func (w *world) printDomain(address string, d domain, sum summaryView) {
	t := &table{}
	t.add(text("policyd"), text(fmt.Sprintf("%s, %s, version %s, up %s", address, dash(d.status.State),
		dash(d.status.Version), millisText(d.status.UptimeMs))))
	if d.policy.Version == 0 {
		t.add(text("policy"), text("none was ever applied"))
	} else {
		t.add(text("policy"), text(fmt.Sprintf("version %d, applied %s", d.policy.Version, w.timeText(d.policy.AppliedUnixMs))))
	}
	hosts := text(fmt.Sprintf("%d, %d connected, %d in sync", sum.Hosts, sum.HostsConnected, sum.HostsInSync))
	if !sum.Healthy {
		hosts.colour = red
	}
	t.add(text("hosts"), hosts)
	t.print(w)
	if len(d.policy.Hosts) == 0 {
		w.printf("\nno host has registered yet; start agentd with --policyd on each\n")
		return
	}
	w.printf("\n")
	reported := d.reported()
	t = newTable("HOST", "CONNECTED", "POLICY", "STATE", "SESSIONS", "WHY")
	for _, h := range d.policy.Hosts {
		connected := text("yes")
		if !h.Connected {
			connected = tinted(red, "no")
		}
		state, why := stateCells(h, d.policy.Version)
		t.add(text(h.Host), connected, figure(fmt.Sprint(h.RunningVersion)), state,
			number(uint64(reported[h.Host].GetSessions())), cell{text: why})
	}
	t.print(w)
	w.printNFNotes(d.hosts)
}

func (w *world) agentStatus(c *cli.Context, a *agent) error {
	got, err := a.local.GetStatus(c.Context, &proto.GetLocalStatusRequest{})
	if err != nil {
		return a.failed(err)
	}
	s := got.GetStatus()
	if c.Bool("json") {
		err = w.printJSON(viewStatus(s))
	} else {
		t := &table{}
		t.add(text("host"), tinted(bold, s.GetHost()))
		addStatus(t, s)
		t.print(w)
	}
	if err == nil && (!s.GetPolicydConnected() || s.GetPolicyError() != "" || s.GetNfError() != "") {
		err = silent(exitHosts)
	}
	return err
}
