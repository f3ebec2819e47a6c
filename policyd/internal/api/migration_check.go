// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"slices"

	"mbchain/chain"
	"mbchain/policy"
	"mbchain/policyd/internal/plan"
	"mbchain/proto"
)

// Bounds of what requests and agents say of migrations.
const (
	maxPredicate = 4096 // bytes
	maxHops      = 16   // hosts of a chain, the module's limit
	maxSteps     = 256  // of one migration; it has a few for each of 16 tries
)

// checkStart reads a StartMigrationsRequest.
func checkStart(r *proto.StartMigrationsRequest) (plan.Change, plan.Selection, error) {
	sel, err := selection(r)
	if err != nil {
		return plan.Change{}, sel, err
	}
	change, err := plan.FromRequest(r)
	if err != nil {
		return change, sel, invalid("%w", err)
	}
	for _, host := range change.Concerned() {
		if err := checkHostName(host); err != nil {
			return change, sel, err
		}
	}
	return change, sel, nil
}

func selection(r *proto.StartMigrationsRequest) (plan.Selection, error) {
	sel := plan.Selection{Prefix: r.Session}
	switch {
	case (len(r.Session) > 0) == (r.Match != ""):
		return sel, invalid("sessions: exactly one of session and match is wanted")
	case len(r.Session) > chain.SessionIDLen:
		return sel, invalid("session: %d bytes, a session id has %d", len(r.Session), chain.SessionIDLen)
	case len(r.Match) > maxPredicate:
		return sel, invalid("match: %d bytes, at most %d are allowed", len(r.Match), maxPredicate)
	case r.Match == "":
		return sel, nil
	}
	match, err := policy.ParsePredicate(r.Match)
	var found policy.Errors
	if errors.As(err, &found) {
		return sel, invalid("match: %s", found[0])
	}
	if err != nil {
		return sel, invalid("match: %w", err)
	}
	sel.Match = match
	return sel, nil
}

func checkMigrationsRequest(r *proto.ListMigrationsRequest) error {
	if len(r.Session) > chain.SessionIDLen {
		return invalid("session: %d bytes, a session id has %d", len(r.Session), chain.SessionIDLen)
	}
	if r.Limit > maxMigrations {
		return invalid("limit: %d, at most %d migrations are allowed", r.Limit, maxMigrations)
	}
	return nil
}

// checkMigrations bounds what an agent says of its migrations.
func checkMigrations(list []*proto.Migration) error {
	if len(list) > maxMigrations {
		return invalid("migrations: %d, at most %d are allowed", len(list), maxMigrations)
	}
	for _, m := range list {
		if err := checkMigration(m); err != nil {
			return err
		}
	}
	return nil
}

func checkMigration(m *proto.Migration) error {
	p := m.GetPlan()
	switch {
	case len(p.GetSession()) != chain.SessionIDLen:
		return invalid("migrations: a session id of %d bytes", len(p.GetSession()))
	case len(p.Old) > plan.MaxHosts || len(p.New) > plan.MaxHosts || len(p.Beyond) > maxHops || len(p.State) > plan.MaxHosts:
		return invalid("migrations: a plan of %d old and %d new hosts, %d beyond and %d states",
			len(p.Old), len(p.New), len(p.Beyond), len(p.State))
	case len(m.Steps) > maxSteps:
		return invalid("migrations: %d steps, at most %d are allowed", len(m.Steps), maxSteps)
	}
	texts := slices.Concat([]string{m.LeftHost, m.State, p.Left, p.Right, m.GetWhy().GetReason(), m.GetWhy().GetAddress(),
		p.GetSuper().GetSource(), p.GetSuper().GetDestination()}, p.Old, p.New, p.Beyond)
	for _, s := range p.State {
		texts = append(texts, s.GetFrom(), s.GetTo())
	}
	for _, s := range m.Steps {
		texts = append(texts, s.GetName(), s.GetWhy().GetReason(), s.GetWhy().GetAddress())
	}
	for _, text := range texts {
		if len(text) > maxText {
			return invalid("migrations: a text of %d bytes, at most %d are allowed", len(text), maxText)
		}
	}
	return nil
}
