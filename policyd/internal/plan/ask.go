// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"mbchain/chain"
	"mbchain/policy"
	"mbchain/proto"
)

// An Ask is what a host wants for a session that it carries: an instance of an NF
// type, or, without a type, to be taken out.
type Ask struct {
	Host string
	Type string
}

// String says for people what is wanted: "+ dpi", "- mb4".
func (a Ask) String() string {
	if a.Type == "" {
		return "- " + a.Host
	}
	return "+ " + a.Type
}

// Denied is the error of what the policy does not allow: a sentence that names the
// rule and what to write into it.
type Denied struct{ Reason string }

// Error returns the sentence.
func (e *Denied) Error() string { return e.Reason }

func denied(format string, args ...any) error { return &Denied{fmt.Sprintf(format, args...)} }

// Allow returns the change that a host asks for, or why it is not to be: [*Denied] if
// the policy does not allow it. r is what the host says of the session.
func (d *Domain) Allow(p *policy.Policy, seed policy.Seed, a Ask, r *proto.Session) (Change, error) {
	super, err := fiveTuple(r.Super)
	if err != nil {
		return Change{}, fmt.Errorf("%s gives it a supersession that cannot be: %w", a.Host, err)
	}
	if err := live(a.Host, r); err != nil {
		return Change{}, err
	}
	rule := p.Match(super)
	if rule == nil {
		return Change{}, denied("no rule of the policy matches the session, and where none does nobody may ask for anything: write a rule for it")
	}
	c := Change{Guarantee: proto.Guarantee_GUARANTEE_LOSS_FREE}
	c.fillIn()
	if a.Type == "" {
		c.Old = []string{a.Host}
		return c, d.mayLeave(rule, seed, a.Host, super)
	}
	return d.mayInsert(c, rule, seed, a, r, super)
}

// mayLeave says why a host may not leave, or nil. It runs one NF of the rule's chain,
// or several, which have to be allowed to all of them.
func (d *Domain) mayLeave(rule *policy.Rule, seed policy.Seed, host string, super chain.FiveTuple) error {
	var chosen, able []*policy.Type
	for i, t := range rule.Chain {
		isAble := slices.ContainsFunc(t.Instances, func(in policy.Instance) bool {
			return d.Owners[in.Address] == host || d.Owners[in.Address6] == host
		})
		if isAble {
			able = append(able, t)
		}
		if d.Owners[policy.Choose(seed, t, i, super).Address] == host || isAble && !t.Lasting(super.Family()) {
			chosen = append(chosen, t)
		}
	}
	if len(chosen) == 0 { // it came by a migration
		chosen = able
	}
	if len(chosen) == 0 {
		return denied("%s runs no NF of the chain of %s, and only these may ask to leave", host, at(rule))
	}
	for _, t := range chosen {
		if !slices.Contains(rule.MayLeave, t) {
			return denied(`%s does not let %s, which %s runs, leave a session: write "may-leave %s" behind its chain`,
				at(rule), t.Name, host, t.Name)
		}
	}
	return nil
}

// mayInsert fills in who comes and where, or says why nobody does.
func (d *Domain) mayInsert(c Change, rule *policy.Rule, seed policy.Seed, a Ask, r *proto.Session, super chain.FiveTuple) (Change, error) {
	named := func(t *policy.Type) bool { return t.Name == a.Type }
	i := slices.IndexFunc(rule.MayInsert, named)
	switch {
	case i >= 0:
	case slices.ContainsFunc(rule.Chain, named):
		return c, denied("%s is in the chain of %s, and nobody may ask for a second one", a.Type, at(rule))
	default:
		return c, denied(`%s lets nobody ask for %s: write "may-insert %s" behind its chain`, at(rule), a.Type, a.Type)
	}
	// As if it came last in the chain.
	choice := policy.Choose(seed, rule.MayInsert[i], len(rule.Chain), super)
	if !choice.Address.IsValid() {
		return c, &policy.NoInstanceError{Type: a.Type, Family: super.Family()}
	}
	host := d.Owners[choice.Address]
	switch host {
	case "":
		return c, fmt.Errorf("%s on %s runs no agent", a.Type, choice.Address)
	case a.Host:
		return c, fmt.Errorf("%s on %s is on its chain already", a.Type, host)
	}
	c.New, c.At = []string{host}, map[string]netip.Addr{host: choice.Address}
	if d.lastAnchor(r, super) {
		c.Before = a.Host
	} else {
		c.After = a.Host
	}
	return c, nil
}

// lastAnchor reports whether right of a host there is none beside which a session can
// be changed, and left of it there may be one: it is the server's, or the last one
// before a server without an agent.
func (d *Domain) lastAnchor(r *proto.Session, super chain.FiveTuple) bool {
	if r.Right == nil || r.Left == nil {
		return r.Right == nil
	}
	right, err := subsession(r.Right, super)
	return err == nil && d.Owners[right.Destination.Addr()] == ""
}

// at names a rule: "rule 2 (line 7)".
func at(r *policy.Rule) string { return r.Label() }
