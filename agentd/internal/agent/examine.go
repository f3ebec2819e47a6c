// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"mbchain/proto"
)

// Examine returns what there is to find out of the host and of the way to its
// neighbours; it takes as long as those do to answer.
func (a *Agent) Examine(ctx context.Context) (*proto.Examination, error) {
	if a.config.Examiner == nil {
		return nil, errors.New("examine host: this agent cannot")
	}
	x := &proto.Examination{Status: a.Status(ctx), NfTypes: a.config.NFTypes, Gateway: a.config.Gateway}
	if ahead, known := a.policyd.Ahead(); known {
		ms := ahead.Milliseconds()
		x.ClockAheadMs = &ms
	}
	if info, err := a.kernel.Info(ctx); err == nil {
		x.Keys = info.KeyIDs
	}
	own, err := a.config.Addresses()
	if err != nil {
		x.Problems = append(x.Problems, err.Error())
	}
	a.mu.Lock()
	sub := a.good
	a.mu.Unlock()
	return x, a.config.Examiner.Examine(ctx, x, neighbours(sub, own))
}

// neighbours returns the hosts that a subpolicy may lead to, each address once: those
// that its chains name, in their order, and then the others that run an agent.
func neighbours(sub *proto.Subpolicy, own []netip.Addr) []netip.Addr {
	var out []netip.Addr
	seen := make(map[netip.Addr]bool)
	for _, a := range own {
		seen[a] = true
	}
	add := func(text string) {
		if a, err := netip.ParseAddr(text); err == nil && !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	}
	var named []string
	for _, t := range sub.GetTypes() {
		for _, i := range t.GetInstances() {
			named = append(named, i.GetAddress(), i.GetAddress6())
		}
	}
	for _, text := range slices.Concat(named, sub.GetHosts()) {
		add(text)
	}
	return out
}
