// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mbchain/genl"
	"mbchain/proto"
)

// An agent dies in the middle of a migration, whichever host it is of and however far
// that has come. The session flows on; when the agent is back it ends up on one whole
// path, the old one or the new one, and no module has a record any more.
func TestAgentsDieDuringMigrations(t *testing.T) {
	l := useLab(t)
	l.apply(t, "match(dstport=5001) >> {mb1}\n")
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	p := &chainOfLab{lab: l, t: t, guarantee: proto.Guarantee_GUARANTEE_ORDERED, session: client.session(t, superOf(c))}
	impair(t, l.all(), "delay", "20ms") // each step of a migration can be seen then
	locked := func(genl.MigrationRecord) bool { return true }
	installed := func(r genl.MigrationRecord) bool { return r.Installed }
	held := func(r genl.MigrationRecord) bool { return r.Paused }
	switched := func(r genl.MigrationRecord) bool { return r.InUse == genl.PathNew }
	marked := func(r genl.MigrationRecord) bool { return r.Passed != 0 }
	rows := []struct {
		name    string
		host    func(from, to *host) *host
		reached func(genl.MigrationRecord) bool
		sample  bool
	}{
		{"left anchor, locked", func(_, _ *host) *host { return client }, locked, false},
		{"left anchor, new path open", func(_, _ *host) *host { return client }, installed, false},
		{"left anchor, holding", func(_, _ *host) *host { return client }, held, false},
		{"left anchor, switched", func(_, _ *host) *host { return client }, switched, true},
		{"right anchor, locked", func(_, _ *host) *host { return server }, locked, false},
		{"right anchor, new path open", func(_, _ *host) *host { return server }, installed, false},
		{"right anchor, holding", func(_, _ *host) *host { return server }, held, false},
		{"right anchor, switched", func(_, _ *host) *host { return server }, switched, false},
		{"old host, locked", func(from, _ *host) *host { return from }, locked, false},
		{"old host, a marker came", func(from, _ *host) *host { return from }, marked, false},
		{"new host, joined", func(_, to *host) *host { return to }, locked, false},
	}
	from, to := mb[0], mb[2]
	for _, row := range rows {
		if !row.sample && !soaking() {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			p.t = t
			before := l.lost(t)
			stop := keepTalking(t, c)
			for dead := false; !dead; { // until it is neither too quick, nor fails before
				var job uint64
				job, dead = p.kill(from, to, row.host(from, to), row.reached)
				p.settles(from, to)
				p.giveUp(job) // which may have been about to try again
				p.settles(from, to)
				if slices.Contains(p.path(), to) {
					from, to = to, from
				}
			}
			stop()
			talk(t, c, 100_000)
			l.lostNone(t, before, p.guarantee)
		})
	}
}

// kill begins to replace one host by another, and kills an agent when the record in its
// module is as it should be; then it starts the agent again. It returns the job, and
// whether it came to that before the migration was over.
func (p *chainOfLab) kill(from, to, victim *host, reached func(genl.MigrationRecord) bool) (job uint64, dead bool) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel()
	killed := make(chan error, 1)
	go func() { killed <- killAt(ctx, p.lab, victim, reached) }()
	job = p.start(from, to)
	dead = p.over(job, killed)
	cancel()
	if !dead {
		dead = <-killed == nil // at the last moment
	}
	if dead {
		p.run(p.t, "agent", victim.name, "start")
	}
	return job, dead
}

// giveUp ends a job, wherever it is: an agent that died knows of none any more.
func (p *chainOfLab) giveUp(job uint64) {
	p.t.Helper()
	eventually(p.t, soon, func() error {
		got, err := p.migrations().Abort(p.t.Context(), &proto.AbortMigrationsRequest{Job: job})
		if err == nil && len(got.Missing) > 0 {
			err = fmt.Errorf("abort: no answer of %s: %s", got.Missing[0].Host, got.Missing[0].Error)
		}
		return err
	})
}

// start begins to replace one host by another, and returns the job.
func (p *chainOfLab) start(from, to *host) uint64 {
	p.t.Helper()
	p.free(to)
	r := replacement(from, to)
	r.Session, r.Guarantee, r.PatienceMs = p.session.ID[:], p.guarantee, patientMs
	begun, err := p.migrations().Start(p.t.Context(), r)
	if err != nil {
		p.t.Fatal(err)
	}
	return begun.Job
}

// over waits until an agent was killed, or a job is over; it reports whether it was the
// agent.
func (p *chainOfLab) over(job uint64, killed <-chan error) (dead bool) {
	p.t.Helper()
	eventually(p.t, late, func() error {
		select {
		case err := <-killed:
			if err != nil {
				p.t.Fatal(err)
			}
			dead = true
			return nil
		default:
		}
		list, err := p.migrations().List(p.t.Context(), &proto.ListMigrationsRequest{Job: job})
		if err == nil && list.Counts.GetDone()+list.Counts.GetFailed() == 0 {
			err = errors.New("the migration does not end")
		}
		return err
	})
	return dead
}

// killAt kills the agent of a host as soon as the record of a migration in its module
// is as it should be.
func killAt(ctx context.Context, l *lab, h *host, reached func(genl.MigrationRecord) bool) error {
	for ctx.Err() == nil {
		records, err := h.module.Migrations(ctx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(records, reached) {
			_, err := l.command("agent", h.name, "kill9")
			return err
		}
	}
	return ctx.Err()
}

// path returns the hosts that carry the session, in the order of the lab.
func (p *chainOfLab) path() []*host {
	p.t.Helper()
	var path []*host
	for _, h := range p.all() {
		if slices.ContainsFunc(h.sessions(p.t), func(s genl.Session) bool { return s.ID == p.session.ID }) {
			path = append(path, h)
		}
	}
	return path
}

// ended counts the sessions that have ended, by host and reason.
func (p *chainOfLab) ended() counters {
	p.t.Helper()
	sum := make(counters)
	for _, h := range p.all() {
		for name, n := range h.counters(p.t) {
			if strings.HasPrefix(name, "end_") && n > 0 {
				sum[h.name+" "+name] = n
			}
		}
	}
	return sum
}

// settles waits until no module has a record, and client and server have just one of
// two middleboxes between them.
func (p *chainOfLab) settles(a, b *host) {
	p.t.Helper()
	eventually(p.t, late, func() error {
		for _, h := range p.all() {
			records, err := h.module.Migrations(p.t.Context())
			if err != nil {
				return err
			}
			if len(records) > 0 {
				return fmt.Errorf("%s still has the record of migration %x, as %v", h.name, records[0].ID, records[0].Role)
			}
		}
		path := p.path()
		if len(path) != 3 || path[1] != a && path[1] != b {
			var names []string
			for _, h := range path {
				names = append(names, h.name)
			}
			return fmt.Errorf("hosts %v carry the session; what ended: %v", names, p.ended())
		}
		return nil
	})
}
