// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"mbchain/chain"
)

// Explanation says what the policy makes of one session and why.
type Explanation struct {
	Rule    *Rule          // the one that matches; nil if there is none
	Choices []ExplainedHop // one for each type of the chain, then the server; empty when no chain is asked for or a type has no instance for the session
	Path    []netip.Addr   // hosts right of the client, as [BuildPath] returns them; nil if it fails
	Why     []string       // the decision, one line for each step
	Problem string         // why no chain comes of it though a rule asks for one
}

// ExplainedHop is one instance, or the server.
type ExplainedHop struct {
	Type   string // NF type; empty for the server; without Address it cannot be said beforehand which instance
	Host   string // name of the host that runs it, where known
	Choice        // of the server only Address is set
}

// Bounds of an explanation.
const (
	maxTriedRules = 10 // rules listed at either end of those that do not match
	maxPartText   = 80 // bytes of a predicate shown in a line
)

// Explain says which rule a session matches, why the ones before it do not
// match, and which instances it gets. Hosts are those that run an agent: name
// by address. The tuple is in the direction client to server.
func (p *Policy) Explain(seed Seed, super chain.FiveTuple, hosts map[netip.Addr]string) Explanation {
	var e Explanation
	at, ok := pointOf(super)
	if !ok {
		e.say("addresses of two families are no session's: no rule matches %s", super)
		return e
	}
	for _, a := range []netip.Addr{super.Source.Addr(), super.Destination.Addr()} {
		if chain.CheckHost(a) != nil {
			e.say("no other host can reach %s: the session is left alone, no rule is tried", a)
			return e
		}
	}
	e.Rule = p.Match(super)
	e.tryRules(p.Rules, at)
	switch {
	case e.Rule == nil:
		e.say("no rule matches: the session goes straight to the server")
		return e
	case len(e.Rule.Chain) == 0:
		e.say("its chain is empty: the session goes straight to the server")
		return e
	}
	types := DecidedFor(e.Rule.Chain, seed, hosts[super.Source.Addr()])
	foretold := e.choose(types, seed, super, hosts)
	switch classified := e.judge(types, seed, super, hosts, foretold); {
	case e.Problem == "" && !foretold:
		e.say("which hosts it passes is decided when it begins")
	case e.Problem == "":
		e.say("the path is %s", joinPath(super.Source.Addr(), e.Path))
		if server := super.Destination.Addr(); !known(hosts, server) {
			e.say("the server runs no agent: it sees a session of %s", e.Path[len(e.Path)-1])
		}
	case !classified:
		e.say("no chain is tried: the session goes straight to the server")
	case e.Rule.OnFailure == Bypass:
		e.say("on-failure bypass: the session goes straight to the server")
	default:
		e.say("on-failure block: the session's packets are dropped")
	}
	if e.Rule.required() && known(hosts, super.Destination.Addr()) {
		e.say("the rule is required: what comes to the server past its chain is dropped there")
	} else if e.Rule.required() {
		e.say("the rule is required, but the server runs no agent that could drop what comes past its chain")
	}
	if e.Problem == "" && (super.Protocol == chain.ProtocolUDP || e.Rule.SetUp == OutOfBand) {
		e.say("the agents on it set it up out-of-band, and its packets wait for them")
	}
	return e
}

func (e *Explanation) say(format string, args ...any) {
	e.Why = append(e.Why, fmt.Sprintf(format, args...))
}

// tryRules says of each rule up to the one that matches how it fares.
func (e *Explanation) tryRules(rules []*Rule, at point) {
	tried := rules
	if e.Rule != nil {
		tried = rules[:e.Rule.Number-1]
	}
	skipped := len(tried) - 2*maxTriedRules
	for i, r := range tried {
		switch {
		case skipped <= 0 || i < maxTriedRules || i >= maxTriedRules+skipped:
			e.say("%s does not match: %s", r.Label(), whyNot(r.Predicate, at))
		case i == maxTriedRules:
			e.say("rules %d to %d do not match either", r.Number, r.Number+skipped-1)
		}
	}
	if e.Rule != nil {
		e.say("%s matches: %s", e.Rule.Label(), shorten(e.Rule.written()))
	}
}

// whyNot names the part of a predicate on which it fails.
func whyNot(p Predicate, at point) string {
	switch p := p.(type) {
	case Not:
		if t, ok := p.X.(term); ok {
			f, _, _ := t.interval()
			return fmt.Sprintf("%s excludes it, the session has %s", p, at.format(f))
		}
		return fmt.Sprintf("%s excludes it", shorten(p.String()))
	case And:
		for _, x := range p {
			if !x.holds(at) {
				return whyNot(x, at)
			}
		}
	case Or:
		return fmt.Sprintf("no alternative of %s holds", shorten(p.String()))
	case term:
		f, _, _ := p.interval()
		return fmt.Sprintf("it asks for %s, the session has %s", p, at.format(f))
	}
	return "it does not hold"
}

func shorten(text string) string {
	if len(text) <= maxPartText {
		return text
	}
	return text[:maxPartText-3] + "..."
}

// choose fills in the instances and says how each came about. It reports whether all of
// them can be said beforehand.
func (e *Explanation) choose(types []*Type, seed Seed, super chain.FiveTuple, hosts map[netip.Addr]string) (foretold bool) {
	f := super.Family()
	foretold = true
	for i, t := range types {
		c := Choose(seed, t, i, super)
		out := t.leftOut(f)
		for _, line := range out {
			e.say("%s", line)
		}
		if !t.Foretold(f) {
			e.say("%s: in turn, as the client's host counts: one of %s", t.Name, shares(t, f))
			e.Choices = append(e.Choices, ExplainedHop{Type: t.Name, Choice: Choice{Total: c.Total}})
			foretold = false
			continue
		}
		switch {
		case c.Total == 0 && len(out) > 0:
			e.say("%s: none of its instances gets new sessions", t.Name)
			e.Choices = nil
			return foretold
		case c.Total == 0:
			e.say("%s: none of its instances has an %v address", t.Name, f)
			e.Choices = nil
			return foretold
		case t.Decide == ByServer && t.Host == "":
			e.say("%s: policyd decides for the host that stands in for the client, which is not known", t.Name)
			e.Choices = append(e.Choices, ExplainedHop{Type: t.Name, Choice: Choice{Total: c.Total}})
			foretold = false
			continue
		case t.Decide == ByServer:
			e.say("%s: %s, which policyd has decided for host %s", t.Name, c.Instance.label(f), t.Host)
		case len(t.Instances) == 1 && len(out) > 0:
			e.say("%s: %s, the only one left", t.Name, c.Instance.label(f))
		case len(t.Instances) == 1:
			e.say("%s: %s, its only instance", t.Name, c.Instance.label(f))
		case c.Total == c.Instance.Weight:
			e.say("%s: %s, its only instance with an %v address", t.Name, c.Instance.label(f), f)
		default:
			if t.Choose == LeastLoaded {
				e.say("%s: weights follow the load, and are these at the moment", t.Name)
			}
			whose := "the session's"
			if t.Choose == BySource {
				whose = "the client's"
			}
			e.say("%s: %s hash is at %d of [0, %d): %s out of %s",
				t.Name, whose, c.Point, c.Total, c.Instance.label(f), shares(t, f))
		}
		e.Choices = append(e.Choices, ExplainedHop{Type: t.Name, Host: hosts[c.Address], Choice: c})
	}
	server := super.Destination.Addr()
	e.Choices = append(e.Choices, ExplainedHop{Host: hosts[server], Choice: Choice{Address: server}})
	for i := 1; i < len(e.Choices); i++ {
		left, right := e.Choices[i-1], e.Choices[i]
		if left.Address == right.Address && left.Address.IsValid() {
			e.say("%s and %s are on one host and become one hop", left.noun(), right.noun())
		}
	}
	return foretold
}

func (h ExplainedHop) noun() string {
	if h.Type == "" {
		return "the server"
	}
	return h.Type
}

// label returns the instance as the sessions of a family see it, without its
// weight.
func (in Instance) label(f chain.Family) string {
	return strings.TrimPrefix(in.Name+" "+in.addressFor(f).String(), " ")
}

// shares lists which points each instance of a type owns.
func shares(t *Type, f chain.Family) string {
	const most = 8
	var b strings.Builder
	var sum uint32
	instances := t.instancesFor(f)
	for i, in := range instances {
		if i == most {
			fmt.Fprintf(&b, ", and %d more", len(instances)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s [%d, %d)", in.label(f), sum, sum+in.Weight)
		sum += in.Weight
	}
	return b.String()
}

// judge builds the path and finds what stands in its way, in the order in
// which the kernel module would find it. It reports whether there is a module
// at the client that tries to set the chain up at all. Of instances that cannot be said
// beforehand it finds nothing.
func (e *Explanation) judge(types []*Type, seed Seed, super chain.FiveTuple, hosts map[netip.Addr]string, foretold bool) bool {
	client, server := super.Source.Addr(), super.Destination.Addr()
	path, err := BuildPath(seed, types, super, known(hosts, server))
	var turns *LoopError
	if !foretold && (err == nil || errors.As(err, &turns)) {
		path, err = nil, nil
	}
	e.Path = path
	var (
		loop *LoopError
		none *NoInstanceError
	)
	switch {
	case super.Protocol != chain.ProtocolTCP && super.Protocol != chain.ProtocolUDP:
		e.Problem = "only TCP and UDP sessions are chained"
		return false
	case !known(hosts, client):
		e.Problem = fmt.Sprintf("the client %s runs no agent, and is chained only behind a gateway", client)
		return false
	case errors.As(err, &none):
		e.Problem = none.Error()
	case errors.As(err, &loop):
		e.Problem = loop.Error()
		if loop.Host == client {
			e.Problem = fmt.Sprintf("%s on %s is on the client itself", ExplainedHop{Type: loop.Type}.noun(), loop.Host)
		}
	default:
		for _, c := range e.Choices {
			if c.Type != "" && c.Address.IsValid() && !known(hosts, c.Address) {
				e.Problem = fmt.Sprintf("%s on %s runs no agent: the set-up stays unanswered", c.Type, c.Address)
				break
			}
		}
	}
	return true
}

func known(hosts map[netip.Addr]string, a netip.Addr) bool {
	_, ok := hosts[a]
	return ok
}

func joinPath(client netip.Addr, path []netip.Addr) string {
	var b strings.Builder
	b.WriteString(client.String())
	for _, host := range path {
		b.WriteString(" -> ")
		b.WriteString(host.String())
	}
	return b.String()
}
