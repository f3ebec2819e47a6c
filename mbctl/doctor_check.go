// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mbchain/proto"
)

// level is how bad a finding is.
type level int

const (
	fine level = iota
	warned
	failed
)

func (l level) String() string { return [...]string{"ok", "warning", "error"}[l] }

func (l level) colour() colour { return [...]colour{faint, yellow, red}[l] }

// finding is what one check has to say.
type finding struct {
	check string // what was looked at: a name of docs/MBCTL.md
	level level
	what  string
	do    string // what to type, or else to do; empty: nothing
}

// checkup is all that doctor knows of a host. Its checks follow from it alone.
type checkup struct {
	x      *proto.Examination
	newest uint64 // version of the policy at policyd
	ca     string // fingerprint of policyd's CA; empty: unknown
}

// findings runs all checks, what everything else needs first.
func (c checkup) findings() []finding {
	var all []finding
	for _, check := range []func() []finding{
		c.module, c.nf, c.policyd, c.policy, c.clock, c.certificate, c.keys, c.forwarding,
		c.reversePath, c.conntrack, c.offloads, c.neighbours, c.mtu, c.swallowed, c.unexamined,
	} {
		all = append(all, check()...)
	}
	return all
}

func one(check string, l level, what, do string) []finding { return []finding{{check, l, what, do}} }

const (
	// aheadBy is how far a clock may be from policyd's before it is worth a word, and
	// aheadTooFar before two hosts that are off in different directions refuse each
	// other's headers, which are good for 30 s.
	aheadBy     = 2 * time.Second
	aheadTooFar = 15 * time.Second
	// overdue is how long after its time a certificate's renewal is late: the agent
	// tries every minute.
	overdue = time.Hour
)

func noModule(what string) finding { return finding{"module", failed, what, "modprobe mbchain"} }

func (c checkup) module() []finding {
	s := c.x.GetStatus()
	switch {
	case s.GetModuleVersion() == "":
		what := s.GetPolicyError()
		if what == "" {
			what = "the module does not answer"
		}
		return []finding{noModule(what)}
	case s.GetModuleVersion() != s.GetAgentVersion():
		return one("module", warned, fmt.Sprintf("it is of version %s, agentd of %s", s.GetModuleVersion(), dash(s.GetAgentVersion())),
			"install both of one version, then take the host out of its chains and: systemctl stop mbchain-agentd; rmmod mbchain; modprobe mbchain; systemctl start mbchain-agentd")
	}
	return one("module", fine, fmt.Sprintf("version %s, as agentd; kernel %s", s.GetModuleVersion(), dash(s.GetKernel())), "")
}

func (c checkup) nf() []finding {
	s := c.x.GetStatus()
	switch {
	case s.GetNfError() != "":
		return one("nf", failed, "packets do not reach the NF as agentd --nf says: "+s.GetNfError(), "ip link")
	case s.GetModuleVersion() == "":
		return nil // is said already
	}
	types := "no NF type"
	if len(c.x.NfTypes) > 0 {
		types = strings.Join(c.x.NfTypes, ", ")
	}
	return one("nf", fine, types+" by "+dash(s.GetNf()), "")
}

func (c checkup) policyd() []finding {
	s := c.x.GetStatus()
	if !s.GetPolicydConnected() {
		return one("policyd", failed, "not connected to "+dash(s.GetPolicyd())+": the policy stays as it is",
			"on policyd's host: mbctl cluster status; here: journalctl -u mbchain-agentd -n 20")
	}
	return one("policyd", fine, "connected to "+s.GetPolicyd(), "")
}

func (c checkup) policy() []finding {
	s := c.x.GetStatus()
	running := fmt.Sprintf("version %d, %s of it", s.GetPolicyVersion(), plural(s.GetRules(), "rule"))
	switch {
	case s.GetModuleVersion() == "":
		return nil // without a module there is none
	case s.GetPolicyError() != "":
		return one("policy", failed, fmt.Sprintf("version %d is not in force: %s", c.newest, s.GetPolicyError()), "mbctl policy show")
	case s.GetPolicyVersion() < c.newest:
		return one("policy", warned, fmt.Sprintf("%s; policyd has version %d", running, c.newest), "mbctl policy show")
	}
	return one("policy", fine, running, "")
}

func (c checkup) clock() []finding {
	if c.x.ClockAheadMs == nil {
		return one("clock", warned, "policyd has not told the time", "again when the host has been connected for 5 s: mbctl doctor")
	}
	off := time.Duration(c.x.GetClockAheadMs()) * time.Millisecond
	what := spanText(off.Abs()) + " ahead of policyd's"
	if off < 0 {
		what = spanText(off.Abs()) + " behind policyd's"
	}
	const do = "systemctl enable --now systemd-timesyncd; timedatectl timesync-status"
	switch {
	case off.Abs() >= aheadTooFar:
		return one("clock", failed, what+": other hosts refuse set-up headers that are 30 s old or early", do)
	case off.Abs() >= aheadBy:
		return one("clock", warned, what, do)
	}
	return one("clock", fine, what, "")
}

func (c checkup) certificate() []finding {
	cert, host := c.x.Certificate, c.x.GetStatus().GetHost()
	join := fmt.Sprintf("on policyd's host: mbctl token create --role agent --name %s >token; here: agentd --token-file token", host)
	if cert == nil {
		return one("certificate", failed, "none: this host has not joined the domain", join)
	}
	expires, renews := time.Duration(cert.ExpiresInMs)*time.Millisecond, time.Duration(cert.RenewsInMs)*time.Millisecond
	switch {
	case expires <= 0:
		return one("certificate", failed, "expired "+spanText(-expires)+" ago", join)
	case cert.Name != host:
		return one("certificate", failed, fmt.Sprintf("it is that of %s, not of %s", cert.Name, host), join)
	case c.ca != "" && cert.CaFingerprint != c.ca:
		return one("certificate", failed, fmt.Sprintf("of the CA %s, and policyd's is %s", cert.CaFingerprint, c.ca), join)
	case len(cert.Addresses) == 0:
		return one("certificate", failed, "it names no address, so no other host takes it", "agentd --address ADDRESS")
	case renews < -overdue:
		return one("certificate", warned, fmt.Sprintf("not renewed for %s, expires in %s", spanText(-renews), spanText(expires)),
			"journalctl -u mbchain-agentd | grep 'no new certificate'")
	}
	return one("certificate", fine, fmt.Sprintf("of %s for %s, expires in %s", cert.Name, strings.Join(cert.Addresses, ", "), spanText(expires)), "")
}

func (c checkup) keys() []finding {
	switch n := len(c.x.Keys); {
	case c.x.GetStatus().GetModuleVersion() == "":
		return nil
	case n == 0:
		return one("keys", failed, "the module has no set-up key: it sets no session up", "mbctl key list")
	default:
		return one("keys", fine, fmt.Sprintf("%s, signs with %d", plural(n, "set-up key"), c.x.Keys[0]), "")
	}
}

// middle reports whether sessions of others pass this host.
func (c checkup) middle() bool { return len(c.x.NfTypes) > 0 || c.x.Gateway }

// inline reports whether they pass its own stack, with conntrack and nftables.
func (c checkup) inline() bool { return c.x.GetStatus().GetNf() == "inline" }

func (c checkup) forwarding() []finding {
	if !c.middle() {
		return nil
	}
	six := func(a string) bool { return strings.Contains(a, ":") }
	addresses := c.x.GetCertificate().GetAddresses()
	var all []finding
	if !c.x.Forward4 && (len(addresses) == 0 || slices.ContainsFunc(addresses, func(a string) bool { return !six(a) })) {
		all = append(all, finding{"forwarding", failed, "IPv4 packets are not forwarded", "sysctl -w net.ipv4.ip_forward=1"})
	}
	if !c.x.Forward6 && slices.ContainsFunc(addresses, six) {
		all = append(all, finding{"forwarding", failed, "IPv6 packets are not forwarded", "sysctl -w net.ipv6.conf.all.forwarding=1"})
	}
	if len(all) == 0 {
		all = one("forwarding", fine, "on", "")
	}
	return all
}

func (c checkup) unexamined() []finding {
	var all []finding
	for _, p := range c.x.Problems {
		all = append(all, finding{"examination", warned, "not examined: " + p, ""})
	}
	return all
}
