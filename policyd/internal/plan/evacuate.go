// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"mbchain/chain"
	"mbchain/policy"
	"mbchain/proto"
)

// A Leave says that the sessions of a host are to leave it, where its instances get no
// new ones.
type Leave struct {
	// Always: whatever their rule says of live sessions. Else those whose rule says
	// live-sessions migrate.
	Always bool
	// Most is how many sessions may begin to leave at once.
	Most int
}

// Leaving is what becomes of the sessions of one host.
type Leaving struct {
	Left  int    // they have to leave, or cannot
	Begun int    // of these, the ones that a wish is for
	Stuck string // why one of them cannot; empty: all can
}

// Evacuate works out how sessions leave hosts, by name. p is the policy by which new
// sessions choose: a session takes what it gives where one of these hosts was, and
// keeps all else. answers are those of all hosts. Wishes are in the order of the
// sessions' ids. Evacuate returns nil if stop says so before it is through.
func (d *Domain) Evacuate(p *policy.Policy, seed policy.Seed, leave map[string]Leave, answers map[string]Answer, stop func() bool) ([]Wish, map[string]*Leaving) {
	e := evacuation{follower: follower{Domain: d, policy: p, seed: seed, answers: answers, keeps: true}, leave: leave,
		hosts: make(map[string]*Leaving, len(leave)), order: slices.Sorted(maps.Keys(leave))}
	for host := range leave {
		e.hosts[host] = &Leaving{}
	}
	begins := map[chain.SessionID]bool{}
	for i, s := range allSessions(answers) {
		if i%checkStop == 0 && stop() {
			return nil, nil
		}
		begins[s.id] = true
		e.look(s)
	}
	for host := range leave {
		for _, r := range answers[host].Sessions {
			id, err := chain.SessionIDFromBytes(r.GetId())
			if err == nil && !begins[id] && carries(r) {
				e.stuck(host, errors.New("the host at which it begins did not answer"))
			}
		}
	}
	return e.wishes, e.hosts
}

// evacuation is a follower that lets hosts go, and nothing else.
type evacuation struct {
	follower
	leave  map[string]Leave
	order  []string // of hosts
	hosts  map[string]*Leaving
	wishes []Wish
}

// carries reports whether a host is a middlebox of a session that is not over.
func carries(r *proto.Session) bool {
	state, err := chain.ParseState(r.State)
	return err == nil && !state.Ended() && r.Role == proto.Role_ROLE_MIDDLE
}

func (e *evacuation) stuck(host string, err error) {
	l := e.hosts[host]
	l.Left++
	if l.Stuck == "" {
		l.Stuck = err.Error()
	}
}

// look makes one session leave the hosts that it should.
func (e *evacuation) look(s selected) {
	moves := false
	for _, host := range e.order {
		if found := s.records[host]; len(found) > 0 && carries(found[0]) {
			moves = e.from(s, host, moves) || moves
		}
	}
}

// from makes a session leave a host, if it should, and reports whether it does. One that
// moves already has to wait for its next change.
func (e *evacuation) from(s selected, host string, moves bool) bool {
	leave, leaving := e.leave[host], e.hosts[host]
	first := s.records[s.first][0]
	super, err := fiveTuple(first.Super)
	if err != nil {
		return false // no host that says this can be told anything of the session
	}
	rule := e.policy.Match(super)
	if !leave.Always && (rule == nil || rule.LiveSessions != policy.Migrate) {
		return false
	}
	piece, err := e.pieceOf(s, host, rule, super)
	switch {
	case err == nil && piece == nil: // it may stay
		return false
	case err == nil && first.State != chain.StateEstablished.String():
		err = fmt.Errorf("it is in state %s, and only established ones change", first.State)
	}
	var wish Wish
	if err == nil {
		wish, err = e.wish(s, piece)
	}
	if err != nil {
		e.stuck(host, err)
		return false
	}
	leaving.Left++
	if moves || leaving.Begun >= leave.Most {
		return false
	}
	leaving.Begun++
	e.wishes = append(e.wishes, wish)
	return true
}

// pieceOf returns the piece of a session's path in which a host leaves; nil: it need not.
func (e *evacuation) pieceOf(s selected, host string, rule *policy.Rule, super chain.FiveTuple) (*piece, error) {
	if rule == nil {
		return nil, errors.New("no rule of the policy matches it, so nothing says what it should pass instead")
	}
	pieces, err := e.differ(s, rule, super)
	if err != nil {
		return nil, err
	}
	for _, p := range pieces {
		if i := slices.IndexFunc(p.old, func(a netip.Addr) bool { return e.Owners[a] == host }); i >= 0 {
			return e.narrow(p, i), nil
		}
	}
	return nil, nil
}

// narrow returns the part of a piece around its i-th old host in which all leave that
// are there: what else no rule asks for any more is none of our business.
func (e *evacuation) narrow(p *piece, i int) *piece {
	leaves := func(a netip.Addr) bool { _, found := e.leave[e.Owners[a]]; return found }
	from, to := i, i+1
	for from > 0 && leaves(p.old[from-1]) {
		from--
	}
	for to < len(p.old) && leaves(p.old[to]) {
		to++
	}
	part := &piece{left: p.left, right: p.right, old: p.old[from:to], new: p.new}
	if from > 0 {
		part.left = e.Owners[p.old[from-1]]
	}
	if to < len(p.old) {
		part.right = e.Owners[p.old[to]]
	}
	return part
}

// Carries reports whether a host is a middlebox of any session that is not over.
func Carries(a Answer) bool { return slices.ContainsFunc(a.Sessions, carries) }
