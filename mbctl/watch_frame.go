// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mbchain/mbctl/internal/chainview"
	"mbchain/proto"
)

const (
	// watchSessions is how many sessions each host is asked for. Of a busy domain this
	// is a sample, and "truncated" says so.
	watchSessions = 500
	// watchRows is how many of each kind a view has.
	watchRows = 10
)

// frame is one view of watch.
type frame struct {
	at  time.Time
	err error // all else is empty then

	address   string
	domain    domain
	names     hostNames
	moves     *proto.ListMigrationsResponse
	chains    []flow // the busiest first
	truncated bool
	missing   []*proto.Missing
}

// flow is a session and what it carries.
type flow struct {
	chainview.Chain
	packets, bytes             uint64  // so far, both ways
	packetsPerSecond, bytesPer float64 // since the frame before
}

// frame asks for all that a view shows.
func (p *policyd) frame(c *cli.Context, at time.Time) *frame {
	f := &frame{at: at, address: p.addresses[0]}
	if f.domain, f.err = p.ask(c); f.err != nil {
		return f
	}
	f.names = directory(f.domain.hosts).names()
	if f.moves, f.err = p.migrate.List(c.Context, &proto.ListMigrationsRequest{Limit: watchRows}); f.err != nil {
		f.err = p.migrateFailed(f.err)
		return f
	}
	got, err := p.domain.ListSessions(c.Context, &proto.ListSessionsRequest{Limit: watchSessions})
	if err != nil {
		f.err = p.failed(err)
		return f
	}
	f.truncated, f.missing = got.Truncated, got.Missing
	for _, chain := range chainview.Join(got.Sessions, f.names) {
		one := flow{Chain: chain}
		one.packets, one.bytes = totals(chain)
		f.chains = append(f.chains, one)
	}
	return f
}

// rate works out what each session has carried since the frame before, if that has it,
// and puts the busiest first: at first, those that have carried most.
func (f *frame) rate(before *frame) {
	if before != nil {
		seconds := f.at.Sub(before.at).Seconds()
		old := make(map[string]flow, len(before.chains))
		for _, o := range before.chains {
			old[o.ID] = o
		}
		for i := range f.chains {
			now := &f.chains[i]
			was, known := old[now.ID]
			// Another host may have reported first, with counters of its own.
			if known && seconds > 0 && now.bytes >= was.bytes && now.packets >= was.packets {
				now.packetsPerSecond = float64(now.packets-was.packets) / seconds
				now.bytesPer = float64(now.bytes-was.bytes) / seconds
			}
		}
	}
	slices.SortStableFunc(f.chains, func(a, b flow) int {
		return cmp.Or(cmp.Compare(b.bytesPer, a.bytesPer), cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.ID, b.ID))
	})
}

// newest are the migrations that a view has: each agent has told its newest.
func (f *frame) newest() []*proto.Migration {
	return f.moves.Migrations[:min(watchRows, len(f.moves.Migrations))]
}

// carried is how many sessions the hosts have, each counted at every host of its chain.
func (f *frame) carried() (sum uint64) {
	for _, h := range f.domain.hosts {
		sum += uint64(h.Status.GetSessions())
	}
	return sum
}

// watchView is a frame in JSON.
type watchView struct {
	At            string             `json:"at"`
	Error         string             `json:"error"` // why there is nothing else; empty: there is
	PolicyVersion uint64             `json:"policy_version"`
	Hosts         []statusHostView   `json:"hosts"`
	Summary       summaryView        `json:"summary"`
	Carried       uint64             `json:"carried"` // sessions of all hosts, each counted at every host of its chain
	Sessions      []watchSessionView `json:"sessions"`
	Truncated     bool               `json:"truncated"`
	Migrations    []migrationView    `json:"migrations"`
	Counts        countsView         `json:"counts"`
	Missing       []missingView      `json:"missing"`
}

type watchSessionView struct {
	ID               string     `json:"id"`
	Super            *tupleView `json:"super"`
	State            string     `json:"state"`
	Route            string     `json:"route"` // names of the hosts, left to right
	Packets          uint64     `json:"packets"`
	Bytes            uint64     `json:"bytes"`
	PacketsPerSecond float64    `json:"packets_per_second"`
	BytesPerSecond   float64    `json:"bytes_per_second"`
}

func (f *frame) view() watchView {
	v := watchView{At: timeJSON(f.at.UnixMilli()), Hosts: []statusHostView{}, Sessions: []watchSessionView{}, Migrations: []migrationView{}, Missing: []missingView{}}
	if f.err != nil {
		v.Error = clean(f.err.Error())
		return v
	}
	v.PolicyVersion, v.Hosts, v.Summary = f.domain.policy.Version, f.domain.viewHosts(), f.domain.summary()
	v.Carried, v.Truncated = f.carried(), f.truncated
	for _, s := range f.chains[:min(watchRows, len(f.chains))] {
		v.Sessions = append(v.Sessions, watchSessionView{s.ID, viewTuple(s.Super), s.First().GetState(), routeText(s.Chain),
			s.packets, s.bytes, s.packetsPerSecond, s.bytesPer})
	}
	v.Migrations, v.Counts, v.Missing = f.names.views(f.newest()), viewCounts(f.moves.Counts), viewMissing(f.missing)
	return v
}
