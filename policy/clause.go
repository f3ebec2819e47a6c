// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"
)

// LiveSessions is what becomes of the sessions that live when a policy begins to
// hold, where their rule asks for another chain than they have.
type LiveSessions uint8

// The choices. Append-only.
const (
	NewOnly LiveSessions = iota // they keep their chain until they end
	Migrate                     // their chain is changed while they live
	Reset                       // they are ended, and may begin anew
)

// String returns "new-only", "migrate" or "reset".
func (l LiveSessions) String() string {
	switch l {
	case Migrate:
		return "migrate"
	case Reset:
		return "reset"
	}
	return "new-only"
}

// clauses returns what stands after the chain of a rule, with a blank before each,
// in the canonical order. What is as it would be without a word is left out.
func (r *Rule) clauses() string {
	var b strings.Builder
	if r.Priority != 0 {
		fmt.Fprintf(&b, " %s %d", wordPriority, r.Priority)
	}
	if r.OnFailure != Block {
		b.WriteString(" on-failure " + r.OnFailure.String())
	}
	if r.SetUp != Auto {
		b.WriteString(" " + wordSetUp + " " + r.SetUp.String())
	}
	if r.Enforce != BestEffort {
		b.WriteString(" " + wordEnforce + " " + r.Enforce.String())
	}
	if r.LiveSessions != NewOnly {
		b.WriteString(" live-sessions " + r.LiveSessions.String())
	}
	if len(r.MayLeave) > 0 {
		b.WriteString(" may-leave " + typeNames(r.MayLeave, ", "))
	}
	if len(r.MayInsert) > 0 {
		b.WriteString(" may-insert " + typeNames(r.MayInsert, ", "))
	}
	return b.String()
}

func typeNames(types []*Type, between string) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	return strings.Join(names, between)
}
