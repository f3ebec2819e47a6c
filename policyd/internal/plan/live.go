// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"mbchain/chain"
	"mbchain/policy"
	"mbchain/proto"
)

// Live is what a policy makes of the sessions that live. All lists are in the order
// of the sessions' ids.
type Live struct {
	Migrate []Wish
	Reset   []Reset
	Skipped []*proto.Skipped // ought to be changed or reset, and cannot
	Kept    int              // all others
}

// A Reset is a session whose connection is to be ended, at the host of its client.
type Reset struct {
	Host    string
	Session chain.SessionID
}

// checkStop is how many sessions are looked at between two looks at stop.
const checkStop = 256

// Follow works out what a policy makes of the sessions in answers, which are those of
// all hosts. A session is looked at if the host at which it begins has it as
// established. Follow returns nil if stop says so before it is through.
func (d *Domain) Follow(p *policy.Policy, seed policy.Seed, answers map[string]Answer, stop func() bool) *Live {
	f := follower{Domain: d, policy: p, seed: seed, answers: answers}
	for i, s := range allSessions(answers) {
		if i%checkStop == 0 && stop() {
			return nil
		}
		if err := f.follow(s); err != nil {
			f.live.Skipped = append(f.live.Skipped, &proto.Skipped{Session: s.id[:], Reason: err.Error()})
		}
	}
	return &f.live
}

// allSessions returns, by id, the sessions that begin at one of the hosts.
func allSessions(answers map[string]Answer) []selected {
	at := map[chain.SessionID]int{}
	var all []selected
	hosts := slices.Sorted(maps.Keys(answers))
	for _, host := range hosts {
		for _, r := range answers[host].Sessions {
			id, err := chain.SessionIDFromBytes(r.GetId())
			if err == nil && r.Role == proto.Role_ROLE_CLIENT && at[id] == 0 {
				all = append(all, selected{id: id, records: map[string][]*proto.Session{}, first: host})
				at[id] = len(all)
			}
		}
	}
	for _, host := range hosts {
		for _, r := range answers[host].Sessions {
			id, err := chain.SessionIDFromBytes(r.GetId())
			if i := at[id]; err == nil && i > 0 {
				all[i-1].records[host] = append(all[i-1].records[host], r)
			}
		}
	}
	slices.SortFunc(all, func(a, b selected) int { return bytes.Compare(a.id[:], b.id[:]) })
	return all
}

// follower makes sessions follow a policy.
type follower struct {
	*Domain
	policy  *policy.Policy
	seed    policy.Seed
	answers map[string]Answer
	keeps   bool // sessions keep the instances that they pass, where that is right
	live    Live
}

// follow sorts one session in, or says why it stays though it should not.
func (f *follower) follow(s selected) error {
	first := s.records[s.first][0]
	super, err := fiveTuple(first.Super)
	if err != nil || first.State != chain.StateEstablished.String() {
		f.live.Kept++
		return nil
	}
	rule := f.policy.Match(super)
	if rule == nil || rule.LiveSessions == policy.NewOnly {
		f.live.Kept++
		return nil
	}
	pieces, err := f.differ(s, rule, super)
	switch {
	case err != nil:
		return err
	case len(pieces) == 0:
		f.live.Kept++
		return nil
	case rule.LiveSessions == policy.Reset:
		return f.reset(s, super)
	}
	var wishes []Wish
	for _, p := range pieces {
		wish, err := f.wish(s, p)
		if err != nil {
			return err
		}
		wishes = append(wishes, wish)
	}
	f.live.Migrate = append(f.live.Migrate, wishes...)
	return nil
}

func (f *follower) reset(s selected, super chain.FiveTuple) error {
	switch client := super.Source.Addr(); {
	case super.Protocol != chain.ProtocolTCP:
		return fmt.Errorf("%s has no connection that could be reset", chain.ProtocolName(super.Protocol))
	case f.Owners[client] != s.first:
		return fmt.Errorf("its client %s runs no agent that could reset it", client)
	}
	f.live.Reset = append(f.live.Reset, Reset{Host: s.first, Session: s.id})
	return nil
}

// piece is a place where the path of a session and the one that the policy wants differ.
type piece struct {
	left, right string       // hosts, which stay; right is empty if it is the server's, without an agent
	old, new    []netip.Addr // hosts that leave and come
}

// differ returns the pieces in which they do: as many hosts as can be stay where they
// are, and what is between two of them is a piece.
func (f *follower) differ(s selected, rule *policy.Rule, super chain.FiveTuple) ([]*piece, error) {
	have, err := f.path(s, super)
	if err != nil {
		return nil, err
	}
	joins := len(have) > 0 && f.same(have[len(have)-1], super.Destination.Addr())
	build := policy.BuildPathBeside
	if f.keeps {
		build = policy.BuildPathKeeping
	}
	want, err := build(f.seed, rule.Chain, super, joins, s.first, have)
	if err != nil {
		return nil, fmt.Errorf("rule %d gives it no chain: %w", rule.Number, err)
	}
	var pieces []*piece
	left, i, k := s.first, 0, 0
	for _, stays := range append(f.common(have, want), [2]int{len(have), len(want)}) {
		p := &piece{left: left, old: have[i:stays[0]], new: want[k:stays[1]]}
		if stays[0] < len(have) {
			p.right = f.Owners[have[stays[0]]]
			left = p.right
		}
		for _, a := range p.new {
			if slices.ContainsFunc(have, func(b netip.Addr) bool { return f.same(a, b) }) {
				return nil, fmt.Errorf("%s would have to be at another place of its chain, and no migration does that", f.label(a))
			}
		}
		if len(p.old)+len(p.new) > 0 {
			pieces = append(pieces, p)
		}
		i, k = stays[0]+1, stays[1]+1
	}
	return pieces, nil
}

// common returns the places of the hosts in a longest sequence that both paths have.
func (f *follower) common(a, b []netip.Addr) [][2]int {
	longest := make([][]int, len(a)+1) // of a from i and b from k on
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for k := len(b) - 1; k >= 0; k-- {
			longest[i][k] = max(longest[i+1][k], longest[i][k+1])
			if f.same(a[i], b[k]) {
				longest[i][k] = longest[i+1][k+1] + 1
			}
		}
	}
	var places [][2]int
	for i, k := 0, 0; i < len(a) && k < len(b); {
		switch {
		case f.same(a[i], b[k]):
			places = append(places, [2]int{i, k})
			i, k = i+1, k+1
		case longest[i+1][k] >= longest[i][k+1]:
			i++
		default:
			k++
		}
	}
	return places
}

// path returns the hosts that a session passes right of the first, the server last if it
// runs an agent.
func (f *follower) path(s selected, super chain.FiveTuple) ([]netip.Addr, error) {
	if path := f.walk(s, super); path != nil {
		return path, nil
	}
	first := s.records[s.first][0]
	path := make([]netip.Addr, len(first.Hops))
	for i, text := range first.Hops {
		var err error
		if path[i], err = netip.ParseAddr(text); err != nil {
			return nil, fmt.Errorf("%s says that it passes %q, which is no address", s.first, text)
		}
	}
	return path, nil
}

// walk goes from host to host, for what the first one knows of the others may be old:
// it is told of migrations that it has no part in once, and that may be lost. The path
// is nil if it cannot be seen whole.
func (f *follower) walk(s selected, super chain.FiveTuple) []netip.Addr {
	path := []netip.Addr{}
	for host := s.first; len(s.records[host]) == 1 && len(path) <= MaxHosts; {
		r := s.records[host][0]
		if r.Right == nil {
			return path
		}
		right, err := subsession(r.Right, super)
		if err != nil {
			return nil
		}
		next := right.Destination.Addr()
		if host = f.Owners[next]; host == "" {
			if next == super.Destination.Addr() {
				return path // a server without an agent
			}
			return nil
		}
		path = append(path, next)
	}
	return nil
}

// same reports whether two addresses are of one host.
func (d *Domain) same(a, b netip.Addr) bool {
	return a == b || d.Owners[a] != "" && d.Owners[a] == d.Owners[b]
}

// wish makes the plan that replaces a piece.
func (f *follower) wish(s selected, p *piece) (Wish, error) {
	if p.right == "" {
		return Wish{}, errors.New("the last host of its chain would change, and its server runs no agent to stand right of the change")
	}
	c := Change{At: map[string]netip.Addr{}, Guarantee: proto.Guarantee_GUARANTEE_LOSS_FREE}
	c.fillIn()
	for _, a := range p.old {
		c.Old = append(c.Old, f.label(a))
	}
	for _, a := range p.new {
		name := f.Owners[a]
		if name == "" {
			return Wish{}, fmt.Errorf("%s, which should be on its chain, runs no agent", a)
		}
		c.New, c.At[name] = append(c.New, name), a
	}
	if len(c.Old) == 0 {
		c.After = p.left
	}
	if err := c.check(); err != nil {
		return Wish{}, err
	}
	wish, err := (&planner{Domain: f.Domain, Change: &c, answers: f.answers, session: s}).plan()
	if err != nil {
		return Wish{}, err
	}
	if right := f.Owners[netip.MustParseAddr(wish.Plan.Right)]; wish.LeftHost != p.left || right != p.right {
		return Wish{}, fmt.Errorf("its path is another than %s says: it was changed just now", s.first)
	}
	return wish, nil
}
