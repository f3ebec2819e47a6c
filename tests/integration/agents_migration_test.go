// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mbchain/genl"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// Operators change the chain of a live session as they like, by any guarantee, while
// data flows and while nothing does: nothing is lost or changed, and all hosts say what
// the chain is.
func TestAgentsChangeALiveChain(t *testing.T) {
	whole := useLab(t)
	whole.apply(t, "match(dstport=5001) >> {mb1}\n")
	type row struct {
		family    family
		guarantee proto.Guarantee
		load      string
		offloads  string
	}
	rows := []row{ // a sample
		{ipv4, proto.Guarantee_GUARANTEE_LOSS_FREE, "full", "on"},
		{ipv6, proto.Guarantee_GUARANTEE_ORDERED, "full", "off"},
		{ipv4, proto.Guarantee_GUARANTEE_SUBSTREAM, "full", "on"},
	}
	if soaking() {
		rows = nil
		for _, f := range []family{ipv4, ipv6} {
			for _, g := range guarantees {
				for _, load := range []string{"idle", "half", "full"} {
					rows = append(rows, row{f, g, load, "on"}, row{f, g, load, "off"})
				}
			}
		}
	}
	for _, r := range rows {
		t.Run(fmt.Sprintf("%s, %s, %s, offloads %s", r.family.name, guaranteeText(r.guarantee), r.load, r.offloads), func(t *testing.T) {
			l := whole.of(r.family)
			if r.offloads == "off" {
				l.offloads(t, "off")
				t.Cleanup(func() { l.offloads(t, "on") })
			}
			l.changeChain(t, r.guarantee, r.load)
		})
	}
}

var guarantees = []proto.Guarantee{
	proto.Guarantee_GUARANTEE_LOSS_FREE, proto.Guarantee_GUARANTEE_ORDERED, proto.Guarantee_GUARANTEE_SUBSTREAM,
}

func guaranteeText(g proto.Guarantee) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(g.String(), "GUARANTEE_")), "_", "-")
}

// changeChain inserts, replaces and removes hosts of a chain.
func (l *lab) changeChain(t *testing.T, g proto.Guarantee, load string) {
	client, server, mb := l.client(), l.server(), l.middleboxes()
	l.server().echo(t, 5001)
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	p := &chainOfLab{lab: l, t: t, guarantee: g, session: client.session(t, superOf(c))}
	before := l.lost(t)
	stop := p.load(c, load)
	p.insert(mb[1], mb[0])
	p.wants(client, mb[0], mb[1], server)
	p.replace(mb[0], mb[2])
	p.wants(client, mb[2], mb[1], server)
	p.remove(mb[1])
	p.wants(client, mb[2], server)
	p.insert(mb[4], client)
	p.wants(client, mb[4], mb[2], server)
	p.change(&proto.StartMigrationsRequest{Change: &proto.StartMigrationsRequest_Replace{Replace: &proto.ReplaceHosts{
		From: []string{mb[4].name, mb[2].name}, To: []string{mb[0].name},
	}}})
	p.wants(client, mb[0], server)
	stop()
	talk(t, c, 100_000)
	l.lostNone(t, before, g)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	awaitSessions(t, 0, l.all()...)
}

// chainOfLab is the chain of a live session, which operators change.
type chainOfLab struct {
	*lab
	t         *testing.T
	guarantee proto.Guarantee
	state     proto.StateMethod
	session   genl.Session
	last      *proto.Migration
}

func (p *chainOfLab) insert(h, after *host) {
	p.t.Helper()
	p.change(insertion(h, after))
}

func (p *chainOfLab) remove(h *host) {
	p.t.Helper()
	p.change(removal(h))
}

func (p *chainOfLab) replace(from, to *host) {
	p.t.Helper()
	r := replacement(from, to)
	r.StateMethod = p.state
	p.change(r)
}

// change begins a migration and waits until it is done.
func (p *chainOfLab) change(r *proto.StartMigrationsRequest) {
	p.t.Helper()
	p.last = p.begin(r)
	for _, s := range p.last.Steps {
		p.t.Logf("%s after %d us", s.Name, s.AtUs)
	}
	if p.last.State != "done" {
		p.t.Fatalf("migration is %v", p.last)
	}
}

// begin does so and waits for its end, whichever it is.
func (p *chainOfLab) begin(r *proto.StartMigrationsRequest) *proto.Migration {
	p.t.Helper()
	r.Session, r.Guarantee = p.session.ID[:], p.guarantee
	if r.PatienceMs == 0 {
		r.PatienceMs = patientMs
	}
	client := p.migrations()
	begun, err := client.Start(p.t.Context(), r)
	if err != nil {
		p.t.Fatalf("start migration: %v", err)
	}
	if begun.Begun != 1 || len(begun.Migrations) != 1 {
		p.t.Fatalf("migration is not begun: %v", begun)
	}
	var list *proto.ListMigrationsResponse
	eventually(p.t, soon, func() error {
		list, err = client.List(p.t.Context(), &proto.ListMigrationsRequest{Job: begun.Job})
		if err != nil {
			return err
		}
		if list.Counts.Done+list.Counts.Failed != 1 || len(list.Migrations) != 1 {
			return fmt.Errorf("migration does not end: %v", list)
		}
		return nil
	})
	return list.Migrations[0]
}

// patientMs is long enough for agents on emulated processors that they share.
const patientMs = 30_000

// migrations is policyd's service, asked by its socket for root.
func (l *lab) migrations() protoconnect.MigrationServiceClient {
	return protoconnect.NewMigrationServiceClient(askPolicyd(), "http://policyd")
}

// askPolicyd returns a client that speaks to policyd whatever the URL says.
func askPolicyd() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", policydSocket)
	}}}
}

// policyd listens there; see tests/topology.
const policydSocket = "/run/mbchain-lab/policyd1/policyd.sock"

// wants waits until these hosts and no others carry the session, and each says which
// are right of it.
func (p *chainOfLab) wants(path ...*host) {
	p.t.Helper()
	eventually(p.t, soon, func() error {
		for _, h := range p.all() {
			i := slices.Index(path, h)
			sessions, err := h.module.Sessions(p.t.Context())
			if err != nil {
				return err
			}
			j := slices.IndexFunc(sessions, func(s genl.Session) bool { return s.ID == p.session.ID })
			switch {
			case i < 0 && j < 0:
			case i < 0 || j < 0:
				return fmt.Errorf("%s carries the session: %t, want %t", h.name, j >= 0, i >= 0)
			case !slices.Equal(sessions[j].Hops, hops(path[i+1:]...)):
				return fmt.Errorf("%s says that %v are right of it, want %v", h.name, sessions[j].Hops, hops(path[i+1:]...))
			}
		}
		return nil
	})
}

// losses are what was lost of sessions until a moment.
type losses struct {
	segments int64    // that the ends sent again, see lostBy
	dropped  counters // by modules
}

func (l *lab) lost(t *testing.T) losses {
	t.Helper()
	return losses{lostBy(t, l.client(), l.server()), dropped(t, l.all())}
}

// lostNone fails the test if anything was lost since. Where packets are held, TCP may run
// out of patience in a slow guest, and sends again what was not lost: then only what
// modules have dropped counts.
func (l *lab) lostNone(t *testing.T, before losses, g proto.Guarantee) {
	t.Helper()
	for name, n := range dropped(t, l.all()) {
		if n > before.dropped[name] {
			t.Errorf("%s dropped %d packets of live sessions", name, n-before.dropped[name])
		}
	}
	if g == proto.Guarantee_GUARANTEE_LOSS_FREE {
		lostNone(t, before.segments, l.all())
	}
}

// late counts the markers that have not waited to the end for what was before them: then
// a change is not promised to be in order, and whoever cares sees the counter.
func (l *lab) late(t *testing.T) (n uint64) {
	t.Helper()
	for _, h := range l.all() {
		n += h.counters(t)[genl.ReasonMarkerLate.String()]
	}
	return n
}

// While the chain of a session changes, the NF that comes sees nothing before the one
// that goes has seen its last packet.
func TestNFsSeeASessionInTurn(t *testing.T) {
	whole := useLab(t)
	whole.apply(t, "match(dstport=5001) >> {mb1}\n")
	for _, row := range []struct {
		family    family
		guarantee proto.Guarantee
	}{
		{ipv4, proto.Guarantee_GUARANTEE_ORDERED},
		{ipv6, proto.Guarantee_GUARANTEE_SUBSTREAM},
	} {
		t.Run(row.family.name+", "+guaranteeText(row.guarantee), func(t *testing.T) {
			whole.of(row.family).passInTurn(t, row.guarantee)
		})
	}
}

func (l *lab) passInTurn(t *testing.T, g proto.Guarantee) {
	l.server().echo(t, 5001)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	turns := []*host{mb[0], mb[2], mb[3]} // nobody is back before packets have gone by without him
	nf := runOrderNF(t, 5001, turns...)
	c := client.connect(t, 0, server.port(5001))
	talk(t, c, 100_000)
	p := &chainOfLab{lab: l, t: t, guarantee: g, session: client.session(t, superOf(c))}
	stop := keepTalking(t, c)
	n, markers := int(sampled(4, 500)), l.late(t)
	nf.take()
	seen, late := 0, 0
	for i := 0; i < n+late; i++ { // n of them are looked at
		from, to := turns[i%len(turns)], turns[(i+1)%len(turns)]
		p.replace(from, to)
		passed := nf.take()
		if i > 0 {
			seen += len(passed)
		}
		before := markers
		if markers = l.late(t); markers > before {
			if late++; late > max(int(slow), n/10) { // a slow kernel has its NF take its time
				t.Fatalf("markers of %d of %d migrations did not wait to the end", late, i+1)
			}
			continue
		}
		if err := inTurn(passed, from, to, g); err != nil {
			t.Fatalf("migration %d, from %s to %s: %v", i+1, from.name, to.name, err)
		}
	}
	stop()
	talk(t, c, 100_000)
	t.Logf("%d migrations in order, %d packets at the NFs meanwhile; %d more whose markers did not wait to the end", n, seen, late)
	if seen < n {
		t.Errorf("the NFs saw %d packets in %d migrations", seen, n)
	}
}
