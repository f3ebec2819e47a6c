// SPDX-License-Identifier: Apache-2.0

package push

import (
	"net/netip"
	"slices"

	"mbchain/policy"
	"mbchain/policyd/internal/health"
)

// hostOf returns the host that an instance is, empty if nobody knows.
func (d *Domain) hostOf(in policy.Instance) string {
	for _, a := range []netip.Addr{in.Address, in.Address6} {
		if name := d.Owners[a]; a.IsValid() && name != "" {
			return name
		}
	}
	return ""
}

// Choosing returns the policy by which new sessions would choose at the moment if p ran.
func (d *Domain) Choosing(p *policy.Policy) *policy.Policy {
	return p.Choosing(func(t *policy.Type, in policy.Instance) policy.Standing {
		return d.standing(t, d.hostOf(in))
	})
}

// standing is that of a type's instance on a host.
func (d *Domain) standing(t *policy.Type, host string) policy.Standing {
	if host == "" { // nobody can say anything of it
		return policy.Standing{Load: health.UnknownStep}
	}
	if drain, found := d.State.Drained(host, t.Name); found {
		return policy.Standing{Rank: policy.Unfit, Why: "drained by " + drain.By}
	}
	v, known := d.verdicts[host]
	if !known {
		return policy.Standing{Load: health.UnknownStep}
	}
	return policy.Standing{Rank: ranks[v.State], Load: v.Step, Why: v.Why}
}

var ranks = map[health.State]policy.Rank{
	health.Unknown:    policy.Fit,
	health.OK:         policy.Fit,
	health.Overloaded: policy.Strained,
	health.Impaired:   policy.Doubtful,
	health.Silent:     policy.Doubtful,
	health.Failed:     policy.Unfit,
}

// Offers reports whether a host is an instance of a type.
func (d *Domain) Offers(host, nfType string) bool {
	return slices.ContainsFunc(d.Policy.Types, func(t *policy.Type) bool {
		return t.Name == nfType && slices.ContainsFunc(t.Instances, func(in policy.Instance) bool { return d.hostOf(in) == host })
	})
}

// instances returns the hosts that are an instance of the policy.
func (d *Domain) instances() map[string]bool {
	hosts := map[string]bool{}
	for _, t := range d.Policy.Types {
		for _, in := range t.Instances {
			if name := d.hostOf(in); name != "" {
				hosts[name] = true
			}
		}
	}
	return hosts
}

// rejudge returns a domain for the same state in which hosts stand otherwise. Its Chosen
// is that of d where new sessions choose as before.
func (d *Domain) rejudge(verdicts map[string]health.Verdict) *Domain {
	next := *d
	next.verdicts = verdicts
	next.Chosen = next.Choosing(d.Policy)
	if policy.SameChoice(d.Chosen, next.Chosen) {
		next.Chosen = d.Chosen
		return &next
	}
	next.made = &subpolicies{keys: d.made.keys}
	next.made.like.Store(d.made.like.Load())
	return &next
}
