// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"fmt"

	"mbchain/agentd/internal/lock"
)

// An Outcome is how a migration ended, as far as a host knows.
type Outcome uint8

// The outcomes.
const (
	Undecided Outcome = iota
	Committed
	AbortedForGood
)

func (o Outcome) String() string {
	names := [...]string{"undecided", "committed", "aborted"}
	if int(o) < len(names) {
		return names[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// MaxOutcomes is how many migrations a [Memory] holds: a minute of what a busy
// host can do, long after the last message of any of them.
const MaxOutcomes = 4096

// Memory holds how the last migrations ended. The oldest goes first. The zero
// Memory is empty.
type Memory struct {
	outcomes map[lock.ID]Outcome
	ring     []lock.ID
	next     int
}

// Set remembers an outcome, unless there is one of that migration.
func (m *Memory) Set(id lock.ID, outcome Outcome) {
	if m.outcomes == nil {
		m.outcomes = make(map[lock.ID]Outcome)
	}
	if _, known := m.outcomes[id]; known {
		return
	}
	if len(m.ring) < MaxOutcomes {
		m.ring = append(m.ring, id)
	} else {
		delete(m.outcomes, m.ring[m.next])
		m.ring[m.next] = id
		m.next = (m.next + 1) % MaxOutcomes
	}
	m.outcomes[id] = outcome
}

// Get returns what is remembered, [Undecided] if nothing is.
func (m *Memory) Get(id lock.ID) Outcome { return m.outcomes[id] }

// word is what a host says that knows no more than the outcome: who never heard
// of a migration may call it aborted, for a left anchor forgets a commit only
// when all hosts of the new path have heard of it.
func (o Outcome) word() Message {
	if o == Committed {
		return Close{}
	}
	return Abort{}
}
