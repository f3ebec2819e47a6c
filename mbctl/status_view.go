// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"mbchain/proto"
)

// statusView is an agent's word about its host in JSON.
type statusView struct {
	Host             string `json:"host"`
	AgentVersion     string `json:"agent_version"`
	ModuleVersion    string `json:"module_version"`
	Kernel           string `json:"kernel"`
	Sessions         uint32 `json:"sessions"`
	MaxSessions      uint32 `json:"max_sessions"`
	SessionBytes     uint32 `json:"session_bytes"`
	TableBytes       uint64 `json:"table_bytes"`
	PolicyVersion    uint64 `json:"policy_version"`
	OfferedVersion   uint64 `json:"offered_version"`
	PolicyError      string `json:"policy_error"`
	Rules            uint32 `json:"rules"`
	Policyd          string `json:"policyd"`
	PolicydConnected bool   `json:"policyd_connected"`
	UptimeMs         uint64 `json:"uptime_ms"`

	OutOfBand bool       `json:"out_of_band"` // it can set sessions up so
	Peers     []peerView `json:"peers"`       // to which it must
	MorePeers uint32     `json:"more_peers"`  // not listed

	NF      string `json:"nf"`       // how it gets its packets
	NFError string `json:"nf_error"` // why not as agentd was told
}

func viewStatus(s *proto.HostStatus) statusView {
	return statusView{
		Host:             s.GetHost(),
		AgentVersion:     s.GetAgentVersion(),
		ModuleVersion:    s.GetModuleVersion(),
		Kernel:           s.GetKernel(),
		Sessions:         s.GetSessions(),
		MaxSessions:      s.GetMaxSessions(),
		SessionBytes:     s.GetSessionBytes(),
		TableBytes:       s.GetTableBytes(),
		PolicyVersion:    s.GetPolicyVersion(),
		OfferedVersion:   s.GetOfferedVersion(),
		PolicyError:      s.GetPolicyError(),
		Rules:            s.GetRules(),
		Policyd:          s.GetPolicyd(),
		PolicydConnected: s.GetPolicydConnected(),
		UptimeMs:         s.GetUptimeMs(),

		OutOfBand: s.GetOutOfBand(),
		Peers:     viewPeers(s.GetPeers()),
		MorePeers: s.GetMorePeers(),

		NF:      s.GetNf(),
		NFError: s.GetNfError(),
	}
}

// addStatus appends an agent's word to a table of names and values.
func addStatus(t *table, s *proto.HostStatus) {
	t.add(text("nf"), text(dash(s.GetNf())))
	if s.GetNfError() != "" {
		t.add(cell{}, tinted(red, "not as agentd --nf says: "+s.GetNfError()))
	}
	policy := fmt.Sprintf("version %d, %s", s.GetPolicyVersion(), plural(s.GetRules(), "rule"))
	t.add(text("policy"), text(policy))
	switch {
	case s.GetPolicyError() != "" && s.GetModuleVersion() == "":
		t.add(cell{}, tinted(red, s.GetPolicyError())) // nobody was there to refuse
	case s.GetPolicyError() != "":
		t.add(cell{}, tinted(red, fmt.Sprintf("refused version %d: %s", s.GetOfferedVersion(), s.GetPolicyError())))
	case s.GetOfferedVersion() > s.GetPolicyVersion():
		t.add(cell{}, tinted(yellow, fmt.Sprintf("was offered version %d", s.GetOfferedVersion())))
	}
	t.add(text("sessions"), text(sessionsText(s)))
	addSetup(t, s)
	t.add(text("agentd"), text(fmt.Sprintf("version %s, up %s", dash(s.GetAgentVersion()), millisText(s.GetUptimeMs()))))
	t.add(text("module"), text("version "+dash(s.GetModuleVersion())))
	t.add(text("kernel"), text(s.GetKernel()))
	if s.GetPolicyd() != "" {
		following := text(s.GetPolicyd())
		if !s.GetPolicydConnected() {
			following = tinted(red, s.GetPolicyd()+", not connected")
		}
		t.add(text("policyd"), following)
	}
}

// sessionsText is "12 of 65,536 at most, 4.5 KiB".
func sessionsText(s *proto.HostStatus) string {
	return fmt.Sprintf("%s of %s at most, %s", countText(uint64(s.GetSessions())),
		countText(uint64(s.GetMaxSessions())), bytesText(sessionMemory(s)))
}

// sessionMemory is what the module of a host has for its sessions, in bytes.
func sessionMemory(s *proto.HostStatus) uint64 {
	return uint64(s.GetSessions())*uint64(s.GetSessionBytes()) + s.GetTableBytes()
}
