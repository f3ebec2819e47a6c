// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) policyCommand() *cli.Command {
	return &cli.Command{
		Name:  "policy",
		Usage: "write, try, apply and explain the policy",
		Description: describe("The policy says which sessions pass which network functions.",
			"mbctl policy check web.policy", "mbctl policy show"),
		Subcommands: []*cli.Command{
			w.policyCheckCommand(),
			w.policyFmtCommand(),
			w.policyTestCommand(),
			w.policyDiffCommand(),
			w.policyApplyCommand(),
			w.policyShowCommand(),
			w.policyHistoryCommand(),
			w.policyRollbackCommand(),
			w.policyExplainCommand(),
		},
	}
}

// hostPolicyView is in JSON what one host says of the policy.
type hostPolicyView struct {
	Host           string `json:"host"`
	State          string `json:"state"` // hostState
	Connected      bool   `json:"connected"`
	RunningVersion uint64 `json:"running_version"`
	OfferedVersion uint64 `json:"offered_version"`
	Rules          uint32 `json:"rules"`
	Error          string `json:"error"`
}

func viewHostPolicies(hosts []*proto.HostPolicy, version uint64) []hostPolicyView {
	views := make([]hostPolicyView, 0, len(hosts))
	for _, h := range hosts {
		views = append(views, hostPolicyView{
			Host:           h.Host,
			State:          string(stateOf(h, version)),
			Connected:      h.Connected,
			RunningVersion: h.RunningVersion,
			OfferedVersion: h.OfferedVersion,
			Rules:          h.Rules,
			Error:          h.Error,
		})
	}
	return views
}

// hostState is where a host stands with a version of the policy.
type hostState string

const (
	hostRunning hostState = "running" // has that version or a later one
	hostRefused hostState = "refused" // keeps the one it had
	hostAway    hostState = "away"    // not connected: gets it when it is back
	hostPending hostState = "pending" // has not answered yet
)

func stateOf(h *proto.HostPolicy, version uint64) hostState {
	switch {
	case h.Error != "" && h.OfferedVersion == version:
		return hostRefused // even if it runs that version, as it was before
	case h.RunningVersion >= version:
		return hostRunning
	case h.Error != "" && h.OfferedVersion > version:
		return hostRefused
	case !h.Connected:
		return hostAway
	default:
		return hostPending
	}
}

// stateCells say a host's state in a table: the word, and the sentence.
func stateCells(h *proto.HostPolicy, version uint64) (cell, string) {
	switch s := stateOf(h, version); s {
	case hostRefused:
		return tinted(red, string(s)), h.Error
	case hostAway:
		return tinted(yellow, string(s)), "not connected: gets it when it is back"
	case hostPending:
		return tinted(yellow, string(s)), "has not answered yet"
	case hostRunning:
		if !h.Connected {
			return text(string(s)), "as last reported: not connected"
		}
		return text(string(s)), ""
	default:
		return text(string(s)), ""
	}
}
