// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"mbchain/chain"
	"mbchain/proto"
)

// Domain is what is known of hosts. It is shared and read-only.
type Domain struct {
	Owners    map[netip.Addr]string   // name by address, of every host with an agent
	Addresses map[string][]netip.Addr // by name, of the hosts that come
}

// A Wish is a plan for one session. It lacks an id.
type Wish struct {
	LeftHost string // leads it
	Plan     *proto.MigratePlan
}

// Plans works out the change of every session that sel holds for. answers are
// those of the hosts that [Change.Concerned] names; one that did not answer is not
// in it. Both results are in the order of the sessions' ids.
func (d *Domain) Plans(c *Change, sel *Selection, answers map[string]Answer) (wishes []Wish, skipped []*proto.Skipped) {
	for _, s := range sel.sessions(c, answers) {
		p := planner{Domain: d, Change: c, answers: answers, session: s}
		wish, err := p.plan()
		if err != nil {
			skipped = append(skipped, &proto.Skipped{Session: s.id[:], Reason: err.Error()})
			continue
		}
		wishes = append(wishes, wish)
	}
	return wishes, skipped
}

// planner works out the change of one session. Its errors are the sentences that
// say why there is none.
type planner struct {
	*Domain
	*Change
	answers map[string]Answer
	session selected
}

func (p *planner) plan() (Wish, error) {
	var path []*record
	for _, host := range p.Present() {
		r, err := p.record(host)
		if err != nil {
			return Wish{}, err
		}
		path = append(path, r)
	}
	super := path[0].super
	if p.Guarantee != proto.Guarantee_GUARANTEE_LOSS_FREE && super.Protocol != chain.ProtocolTCP {
		return Wish{}, fmt.Errorf("%s promises no order: take loss-free", chain.ProtocolName(super.Protocol))
	}
	plan, err := p.between(path)
	if err != nil {
		return Wish{}, err
	}
	if err := p.join(plan, super.Family()); err != nil {
		return Wish{}, err
	}
	if err := distinct(plan); err != nil {
		return Wish{}, err
	}
	left := p.Owners[netip.MustParseAddr(plan.Left)]
	plan.Session, plan.Super = p.session.id[:], p.session.records[path[0].host][0].Super
	plan.Guarantee, plan.PatienceMs, plan.OverflowDrop = p.Guarantee, p.PatienceMs, p.Drop
	return Wish{LeftHost: left, Plan: plan}, nil
}

// record returns what a host that the session must pass says of it.
func (p *planner) record(host string) (*record, error) {
	answer, answered := p.answers[host]
	found := p.session.records[host]
	switch {
	case !answered:
		return nil, fmt.Errorf("%s did not answer", host)
	case len(found) == 0 && answer.unseen(p.session.id):
		return nil, fmt.Errorf("%s has too many sessions to say whether it is one of them", host)
	case len(found) == 0:
		return nil, fmt.Errorf("%s does not carry it", host)
	case len(found) > 1:
		return nil, fmt.Errorf("it comes to %s twice", host)
	}
	if err := live(host, found[0]); err != nil {
		return nil, err
	}
	return read(host, found[0])
}

// between makes the plan's anchors and old hosts.
func (p *planner) between(path []*record) (*proto.MigratePlan, error) {
	first, last := path[0], path[len(path)-1]
	switch {
	case p.After != "":
		return p.beside(first.right, first, "right")
	case p.Before != "":
		return p.beside(first.left, first, "left")
	case first.left == nil:
		return nil, fmt.Errorf("it begins at %s, which has to stay", first.host)
	case last.right == nil:
		return nil, fmt.Errorf("it ends at %s, which has to stay", last.host)
	}
	if err := p.neighbours(path); err != nil {
		return nil, err
	}
	plan := &proto.MigratePlan{Left: first.left.peer.String(), Right: last.right.peer.String()}
	for _, r := range path {
		if err := p.own(r, r.left.self); err != nil {
			return nil, err
		}
		plan.Old = append(plan.Old, r.left.self.String())
	}
	if err := p.anchor(first.left.peer, "left of "+first.host, "client"); err != nil {
		return nil, err
	}
	return plan, p.anchor(last.right.peer, "right of "+last.host, "server")
}

// neighbours says why the hosts of path are not next to each other as all of them
// see it, or nil.
func (p *planner) neighbours(path []*record) error {
	for i, r := range path[1:] {
		before := path[i]
		switch {
		case before.right == nil || r.left == nil:
			return fmt.Errorf("%s is not right of %s on its chain", r.host, before.host)
		case p.Owners[before.right.peer] != r.host:
			return fmt.Errorf("right of %s comes %s, not %s", before.host, p.label(before.right.peer), r.host)
		case p.Owners[r.left.peer] != before.host || before.right.peer != r.left.self:
			return fmt.Errorf("something between %s and %s translates addresses", before.host, r.host)
		}
	}
	return nil
}

// beside makes the plan for new hosts between the host of r, which stays, and its
// neighbour on this side.
func (p *planner) beside(at *end, r *record, side string) (*proto.MigratePlan, error) {
	if at == nil {
		return nil, fmt.Errorf("nothing is %s of %s on its chain", side, r.host)
	}
	if err := p.own(r, at.self); err != nil {
		return nil, err
	}
	if side == "left" {
		plan := &proto.MigratePlan{Left: at.peer.String(), Right: at.self.String()}
		return plan, p.anchor(at.peer, "left of "+r.host, "client")
	}
	plan := &proto.MigratePlan{Left: at.self.String(), Right: at.peer.String()}
	return plan, p.anchor(at.peer, "right of "+r.host, "server")
}

// own says why a host cannot be addressed as a in a plan, or nil.
func (p *planner) own(r *record, a netip.Addr) error {
	if p.Owners[a] == r.host {
		return nil
	}
	return fmt.Errorf("%s has it under %s, which is none of the addresses that its agent was given", r.host, a)
}

// anchor says why a cannot be an anchor, or nil.
func (p *planner) anchor(a netip.Addr, where, kind string) error {
	if p.Owners[a] != "" {
		return nil
	}
	return fmt.Errorf("%s, %s, is the address of no host with an agent: it is a %s without one, or behind a NAT", a, where, kind)
}

// join adds the hosts that come, and whose state goes to whom.
func (p *planner) join(plan *proto.MigratePlan, family chain.Family) error {
	for i, host := range p.New {
		switch _, answered := p.answers[host]; {
		case !answered:
			return fmt.Errorf("%s did not answer", host)
		case len(p.session.records[host]) > 0:
			return fmt.Errorf("%s is on its chain already, or has left it a moment ago", host)
		}
		a, ok := p.addressOf(host, family)
		if !ok {
			return fmt.Errorf("%s has no address of %s", host, family)
		}
		address := a.String()
		plan.New = append(plan.New, address)
		if p.Method != proto.StateMethod_STATE_METHOD_UNSPECIFIED {
			plan.State = append(plan.State, &proto.StatePair{From: plan.Old[i], To: address, Method: p.Method})
		}
	}
	for _, anchor := range []string{plan.Left, plan.Right} {
		if host := p.Owners[netip.MustParseAddr(anchor)]; slices.Contains(p.New, host) {
			return fmt.Errorf("%s is on its chain already", host)
		}
	}
	return nil
}

// addressOf returns the address under which a host comes.
func (p *planner) addressOf(host string, family chain.Family) (netip.Addr, bool) {
	if a, given := p.At[host]; given {
		return a, chain.FamilyOf(a) == family
	}
	i := slices.IndexFunc(p.Addresses[host], func(a netip.Addr) bool { return chain.FamilyOf(a) == family })
	if i < 0 {
		return netip.Addr{}, false
	}
	return p.Addresses[host][i], true
}

// distinct says which host stands twice in a plan, or nil.
func distinct(plan *proto.MigratePlan) error {
	all := slices.Concat([]string{plan.Left}, plan.Old, plan.New, []string{plan.Right})
	for i, a := range all {
		if slices.Contains(all[:i], a) {
			return fmt.Errorf("%s would stand on its path twice", a)
		}
	}
	return nil
}

// label is a host's name, or the address that no host has.
func (d *Domain) label(a netip.Addr) string {
	if name := d.Owners[a]; name != "" {
		return name
	}
	return a.String()
}
