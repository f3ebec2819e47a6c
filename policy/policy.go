// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mbchain/chain"
)

// Policy is a parsed and checked policy. It is not changed after [Parse] has
// returned it, so any number of goroutines may use it.
type Policy struct {
	Groups   []*Group     // in the order of the text
	Types    []*Type      // in the order of the text
	Rules    []*Rule      // in the order in which they are tried; the first that matches wins
	Warnings []Diagnostic // what is right but perhaps not meant, MaxErrors and one at most
}

// Type is an NF type: a set of interchangeable instances.
type Type struct {
	Name      string
	Choose    Method
	Decide    Decide
	Instances []Instance // at least one, but for [Policy.Choosing]
	Line      int        // in the policy text
	Document  string     // that the line is of; may be empty

	Out  []LeftOut // by [Policy.Choosing] alone: those that get no new sessions
	Host string    // by [DecidedFor] alone: for which it was decided
}

// Instance is an NF on one host. It serves the sessions of those families of
// which it has an address, one at least.
type Instance struct {
	Name     string     // may be empty
	Address  netip.Addr // of the host for IPv4 sessions; the zero Addr: none
	Address6 netip.Addr // of the host for IPv6 sessions; the zero Addr: none
	Weight   uint32     // 1 to MaxWeight: its share of the sessions
}

// Rule says which chain the sessions get that a predicate holds for.
type Rule struct {
	Number    int    // from 1, in the order in which rules are tried
	Name      string // may be empty
	Priority  int    // the greatest is tried first
	Predicate Predicate
	Written   string  // canonical text of the predicate, with groups by name; empty: it names none
	Chain     []*Type // left to right, at most MaxChain; empty: left alone
	OnFailure OnFailure
	SetUp     SetUp
	Enforce   Enforce
	Line      int    // in the policy text
	Document  string // that the line is of; may be empty

	// What the policy server makes of sessions that live; hosts need none of it.
	LiveSessions LiveSessions
	MayLeave     []*Type // of Chain: an instance may ask to be taken out of a session
	MayInsert    []*Type // not of Chain: a host may ask for an instance in a session
}

// OnFailure is what becomes of a session whose chain cannot be set up
// (enum mbc_on_failure).
type OnFailure uint8

// The choices. Append-only: the numbers are the kernel's.
const (
	Block  OnFailure = iota // its packets are dropped
	Bypass                  // it goes straight to the server
)

// String returns "block" or "bypass".
func (o OnFailure) String() string {
	if o == Bypass {
		return "bypass"
	}
	return "block"
}

// Match returns the first rule whose predicate holds for the session, nil if
// there is none. The tuple is in the direction client to server.
func (p *Policy) Match(t chain.FiveTuple) *Rule {
	at, ok := pointOf(t)
	if !ok {
		return nil
	}
	for _, r := range p.Rules {
		if r.Predicate.holds(at) {
			return r
		}
	}
	return nil
}

// ConcernsLive reports whether a rule says that live sessions follow it.
func (p *Policy) ConcernsLive() bool {
	return slices.ContainsFunc(p.Rules, func(r *Rule) bool { return r.LiveSessions != NewOnly })
}

// Predicates returns the predicates of the rules in order, for [Compile] and
// [Compile6].
func (p *Policy) Predicates() []Predicate {
	predicates := make([]Predicate, len(p.Rules))
	for i, r := range p.Rules {
		predicates[i] = r.Predicate
	}
	return predicates
}

// Instances returns how many instances all types have together.
func (p *Policy) Instances() int {
	n := 0
	for _, t := range p.Types {
		n += len(t.Instances)
	}
	return n
}

// RenderWarnings returns all warnings for people, with a newline after each.
func (p *Policy) RenderWarnings(file string) string { return renderAll(file, p.Warnings) }

// String returns the canonical text: groups, types, then rules in the order in
// which they are tried, one a line. Parsed again it gives the same policy but for
// lines, documents and warnings.
func (p *Policy) String() string {
	var b strings.Builder
	for _, g := range p.Groups {
		fmt.Fprintln(&b, g)
	}
	for _, t := range p.Types {
		fmt.Fprintln(&b, t)
	}
	for _, r := range p.Rules {
		fmt.Fprintln(&b, r)
	}
	return b.String()
}

// String returns the statement that declares the type.
func (t *Type) String() string {
	texts := make([]string, len(t.Instances))
	for i, in := range t.Instances {
		texts[i] = in.String()
	}
	choose := ""
	if t.Choose != ByHash {
		choose = " " + wordChoose + " " + t.Choose.String()
	}
	decide := ""
	if t.Decide != ByAgent {
		decide = " " + wordDecide + " " + t.Decide.String()
	}
	return fmt.Sprintf("type %s { %s }%s%s", t.Name, strings.Join(texts, ", "), choose, decide)
}

// addressFor returns the instance's address of a family, or the zero Addr.
func (in Instance) addressFor(f chain.Family) netip.Addr {
	if f == chain.IPv6 {
		return in.Address6
	}
	return in.Address
}

// instancesFor returns the instances that serve the sessions of a family.
func (t *Type) instancesFor(f chain.Family) []Instance {
	return slices.DeleteFunc(slices.Clone(t.Instances), func(in Instance) bool { return !in.addressFor(f).IsValid() })
}

// serves reports whether sessions of the family can pass the type.
func (t *Type) serves(f chain.Family) bool {
	return slices.ContainsFunc(t.Instances, func(in Instance) bool { return in.addressFor(f).IsValid() })
}

// String returns the instance as a type statement lists it.
func (in Instance) String() string {
	s := in.Name
	for _, f := range families {
		if a := in.addressFor(f); a.IsValid() {
			s += " " + a.String()
		}
	}
	if in.Weight != 1 {
		s += fmt.Sprintf(" weight %d", in.Weight)
	}
	return strings.TrimPrefix(s, " ")
}

// String returns the rule's statement.
func (r *Rule) String() string {
	name := ""
	if r.Name != "" {
		name = "rule " + r.Name + " "
	}
	return fmt.Sprintf("%smatch(%s) >> {%s}%s", name, r.written(), typeNames(r.Chain, " -> "), r.clauses())
}

// written returns the predicate's text, with the names of groups.
func (r *Rule) written() string {
	if r.Written != "" {
		return r.Written
	}
	return r.Predicate.String()
}

// Label names the rule in messages: `rule 3 (line 9)`, `rule 3 "web" (line 9 of
// web.policy)`.
func (r *Rule) Label() string {
	name := ""
	if r.Name != "" {
		name = fmt.Sprintf(" %q", r.Name)
	}
	return fmt.Sprintf("rule %d%s (%s)", r.Number, name, r.where())
}

func (r *Rule) where() string { return where(r.Document, r.Line) }

func where(document string, line int) string {
	if document == "" {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("line %d of %s", line, document)
}
