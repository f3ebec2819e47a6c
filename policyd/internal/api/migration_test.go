// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
)

// chained is what mb1 says of n sessions client - mb1 - server.
func chained(n int) []*proto.Session {
	tuple := func(source string, port uint32, destination string) *proto.Tuple {
		return &proto.Tuple{Source: source, SourcePort: port, Destination: destination, DestinationPort: 80, Protocol: 6}
	}
	var all []*proto.Session
	for i := range n {
		id := make([]byte, 16)
		binary.BigEndian.PutUint32(id, uint32(i+1)<<8)
		all = append(all, &proto.Session{Id: id, State: "established", Super: tuple("10.0.0.1", uint32(i+1), "10.0.0.4"),
			Left:  &proto.Side{Tuple: tuple("10.0.0.1", 2, "10.0.0.2")},
			Right: &proto.Side{Tuple: tuple("10.0.0.2", 3, "10.0.0.4")}})
	}
	return all
}

// crowd is hosts that answer whatever they are asked, until the test ends.
type crowd struct {
	mu    sync.Mutex
	asked map[string][]*proto.Query
}

// answering connects client, mb1, mb3 and server, which answer as answer says; nil:
// they do not.
func (b *bench) answering(answer func(host string, q *proto.Query) *proto.AnswerRequest) *crowd {
	return b.answeringFrom(0, answer)
}

// answeringFrom is answering where a policy of this version runs already.
func (b *bench) answeringFrom(version uint64, answer func(host string, q *proto.Query) *proto.AnswerRequest) *crowd {
	c := &crowd{asked: map[string][]*proto.Query{}}
	for name, address := range map[string]string{"client": "10.0.0.1", "mb1": "10.0.0.2", "mb3": "10.0.0.5", "server": "10.0.0.4"} {
		a := b.subscribe(name, address)
		a.subpolicy(version)
		go func() {
			for p := a.next(); p != nil; p = a.next() {
				if p.GetQuery() == nil {
					continue
				}
				c.mu.Lock()
				c.asked[name] = append(c.asked[name], p.GetQuery())
				c.mu.Unlock()
				r := answer(name, p.GetQuery())
				if r == nil {
					continue
				}
				r.Host, r.Nonce = name, p.Nonce
				if _, err := b.agents.Answer(b.t.Context(), r); err != nil && b.t.Context().Err() == nil {
					b.t.Errorf("answer of %s: %v", name, err)
				}
			}
		}()
	}
	return c
}

// of returns the migrations that a host was asked to begin.
func (c *crowd) of(host string) (pushes []*proto.MigrateQuery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.asked[host] {
		if q.GetMigrate() != nil {
			pushes = append(pushes, q.GetMigrate())
		}
	}
	return pushes
}

// carrying answers for hosts of which mb1 has n sessions.
func carrying(n int) func(string, *proto.Query) *proto.AnswerRequest {
	return func(host string, q *proto.Query) *proto.AnswerRequest {
		if q.GetSessions() == nil || host != "mb1" {
			return &proto.AnswerRequest{}
		}
		var fit []*proto.Session
		for _, s := range chained(n) {
			if bytes.HasPrefix(s.Id, q.GetSessions().Id) {
				fit = append(fit, s)
			}
		}
		return &proto.AnswerRequest{Sessions: fit}
	}
}

func moveAll(match string) *proto.StartMigrationsRequest {
	return &proto.StartMigrationsRequest{Match: match, Change: &proto.StartMigrationsRequest_Replace{
		Replace: &proto.ReplaceHosts{From: []string{"mb1"}, To: []string{"mb3"}}}}
}

func TestStartHandsWishesToTheLeftAnchors(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(carrying(2500))
		got, err := b.moves.Start(t.Context(), moveAll("dstport=80"))
		if err != nil {
			t.Fatal(err)
		}
		if got.Job == 0 || got.Begun != 2500 || len(got.Migrations) != maxNamed || len(got.Skipped)+len(got.Missing) != 0 {
			t.Errorf("job %x, %d begun, %d of them named, skipped %v, missing %v", got.Job, got.Begun, len(got.Migrations), got.Skipped, got.Missing)
		}
		var sizes []int
		seen := map[uint64]bool{}
		for _, push := range c.of("client") {
			sizes = append(sizes, len(push.Wishes))
			if push.Job != got.Job {
				t.Errorf("pushed job %x, want %x", push.Job, got.Job)
			}
			for _, w := range push.Wishes {
				if w.Id == 0 || w.Id&tryMask != 0 || seen[w.Id] {
					t.Errorf("id %x is 0, has a try, or is given twice", w.Id)
				}
				seen[w.Id] = true
			}
		}
		if diff := cmp.Diff([]int{1000, 1000, 500}, sizes); diff != "" {
			t.Errorf("wishes of the pushes (-want +got):\n%s", diff)
		}
		first := c.of("client")[0].Wishes[0]
		want := &proto.Migration{Id: first.Id, Job: got.Job, LeftHost: "client", State: "queued",
			BeganUnixUs: got.Migrations[0].BeganUnixUs,
			Plan: &proto.MigratePlan{Session: chained(1)[0].Id, Super: chained(1)[0].Super,
				Guarantee: proto.Guarantee_GUARANTEE_LOSS_FREE, PatienceMs: 5000,
				Left: "10.0.0.1", Right: "10.0.0.4", Old: []string{"10.0.0.2"}, New: []string{"10.0.0.5"}}}
		if diff := cmp.Diff(want, got.Migrations[0], protocmp.Transform()); diff != "" {
			t.Errorf("first migration (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want.Plan, first.Plan, protocmp.Transform()); diff != "" {
			t.Errorf("pushed plan (-want +got):\n%s", diff)
		}
		if n := len(c.asked["server"]); n != 0 {
			t.Errorf("server was asked %d times, and has no part in it", n)
		}
	})
}

func TestDryRunPushesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(carrying(3))
		r := moveAll("any")
		r.DryRun = true
		got, err := b.moves.Start(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if got.Job != 0 || got.Begun != 3 || len(got.Migrations) != 3 || got.Migrations[0].Id != 0 {
			t.Errorf("answer %v", got)
		}
		if pushes := c.of("client"); len(pushes) != 0 {
			t.Errorf("pushed %v", pushes)
		}
	})
}

func TestStartCountsOnlyWhatAnAgentTook(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		sessions := carrying(2500)
		pushes := 0
		b.answering(func(host string, q *proto.Query) *proto.AnswerRequest {
			if q.GetMigrate() != nil {
				if pushes++; pushes == 2 {
					return &proto.AnswerRequest{Error: "too many wishes"}
				}
			}
			return sessions(host, q)
		})
		got, err := b.moves.Start(t.Context(), moveAll("any"))
		if err != nil {
			t.Fatal(err)
		}
		want := []*proto.Missing{{Host: "client", Error: "1500 of its 2500 migrations not begun, as far as it is known: too many wishes"}}
		if diff := cmp.Diff(want, got.Missing, protocmp.Transform()); diff != "" {
			t.Errorf("missing (-want +got):\n%s", diff)
		}
		if got.Begun != 1000 || pushes != 2 {
			t.Errorf("%d begun by %d pushes, want 1000 by 2", got.Begun, pushes)
		}
	})
}

// Two hosts lead; of one nobody knows whether it took its migrations.
func TestStartIsNotHeldUpByASilentLeader(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(func(host string, q *proto.Query) *proto.AnswerRequest {
			switch {
			case q.GetMigrate() != nil && host == "mb3":
				return nil
			case q.GetSessions() == nil:
				return &proto.AnswerRequest{}
			}
			sessions := chained(5)
			for _, i := range []int{0, 3} {
				sessions[i].Left.Tuple.Source = "10.0.0.5"
			}
			return &proto.AnswerRequest{Sessions: sessions}
		})
		got, err := b.moves.Start(t.Context(), &proto.StartMigrationsRequest{Match: "any",
			Change: &proto.StartMigrationsRequest_Remove{Remove: &proto.RemoveHosts{Hosts: []string{"mb1"}}}})
		if err != nil {
			t.Fatal(err)
		}
		want := []*proto.Missing{{Host: "mb3", Error: "2 of its 2 migrations not begun, as far as it is known: no answer in time"}}
		if diff := cmp.Diff(want, got.Missing, protocmp.Transform()); diff != "" {
			t.Errorf("missing (-want +got):\n%s", diff)
		}
		if got.Begun != 3 || len(got.Migrations) != 3 {
			t.Fatalf("%d begun, %d of them named", got.Begun, len(got.Migrations))
		}
		for i, m := range got.Migrations {
			if push := c.of("client")[0]; m.LeftHost != "client" || m.Id != push.Wishes[i].Id {
				t.Errorf("migration %d is %v, pushed was %v", i, m, push.Wishes[i])
			}
		}
		if n := len(c.of("mb3")[0].Wishes); n != 2 {
			t.Errorf("mb3 was pushed %d wishes, want 2", n)
		}
	})
}

func TestStartSaysWhatStaysAsItIs(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		sessions := carrying(250)
		b.answering(func(host string, q *proto.Query) *proto.AnswerRequest {
			switch r := sessions(host, q); {
			case host == "mb3":
				return nil
			case q.GetSessions() != nil:
				r.Truncated = true
				return r
			default:
				return r
			}
		})
		got, err := b.moves.Start(t.Context(), moveAll("any"))
		if err != nil {
			t.Fatal(err)
		}
		missing := []*proto.Missing{{Host: "mb3", Error: "no answer in time"},
			{Host: "mb1", Error: "has more sessions than the first 250, which were looked at: ask again for the others"}}
		if diff := cmp.Diff(missing, got.Missing, protocmp.Transform()); diff != "" {
			t.Errorf("missing (-want +got):\n%s", diff)
		}
		if got.Job != 0 || got.Begun != 0 || len(got.Skipped) != maxNamed || got.MoreSkipped != 150 {
			t.Errorf("job %x, %d begun, %d and %d more skipped", got.Job, got.Begun, len(got.Skipped), got.MoreSkipped)
		}
		if got := got.Skipped[0].Reason; got != "mb3 did not answer" {
			t.Errorf("reason %q", got)
		}
	})
}

func TestStartOfOneSession(t *testing.T) {
	tests := []struct {
		name    string
		session []byte
		code    connect.Code // 0: begun
		want    string
	}{
		{"by its id", chained(1)[0].Id, 0, ""},
		{"by a prefix", []byte{0, 0, 2}, 0, ""},
		{"several", []byte{0, 0}, connect.CodeInvalidArgument, "session: 3 sessions begin with 0000: give more of the id"},
		{"none", []byte{9}, connect.CodeNotFound, "session: none that begins with 09 passes mb1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				b.answering(carrying(3))
				r := moveAll("")
				r.Session = tt.session
				got, err := b.moves.Start(t.Context(), r)
				if tt.code == 0 {
					if err != nil || got.Begun != 1 {
						t.Fatalf("begun %d, error %v", got.GetBegun(), err)
					}
					return
				}
				wantCode(t, err, tt.code)
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v does not say %q", err, tt.want)
				}
			})
		})
	}
}

func TestStartRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.answering(carrying(1))
		with := func(set func(*proto.StartMigrationsRequest)) *proto.StartMigrationsRequest {
			r := moveAll("any")
			set(r)
			return r
		}
		tests := []struct {
			r    *proto.StartMigrationsRequest
			code connect.Code
			want string
		}{
			{moveAll(""), connect.CodeInvalidArgument, "exactly one of session and match"},
			{with(func(r *proto.StartMigrationsRequest) { r.Session = []byte{1} }), connect.CodeInvalidArgument, "exactly one of session and match"},
			{with(func(r *proto.StartMigrationsRequest) { r.Match, r.Session = "", make([]byte, 17) }), connect.CodeInvalidArgument, "session: 17 bytes"},
			{moveAll(strings.Repeat(" ", maxPredicate) + "any"), connect.CodeInvalidArgument, "match: 4099 bytes"},
			{moveAll("dstprt=80"), connect.CodeInvalidArgument, `match: 1:1: unknown field "dstprt"`},
			{with(func(r *proto.StartMigrationsRequest) { r.Change = nil }), connect.CodeInvalidArgument, "none of insert, remove and replace"},
			{with(func(r *proto.StartMigrationsRequest) { r.GetReplace().To[0] = "MB3" }), connect.CodeInvalidArgument, `host: "MB3"`},
			{with(func(r *proto.StartMigrationsRequest) { r.GetReplace().To[0] = "mb9" }), connect.CodeNotFound, "unknown host: mb9"},
		}
		for _, tt := range tests {
			_, err := b.moves.Start(t.Context(), tt.r)
			wantCode(t, err, tt.code)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		}
	})
}

func migration(id uint64, began int64, host string) *proto.Migration {
	return &proto.Migration{Id: id, Job: 7, BeganUnixUs: began, LeftHost: host, State: "done",
		Plan: &proto.MigratePlan{Session: make([]byte, 16)}}
}

func TestListMergesWhatAgentsSay(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(func(host string, q *proto.Query) *proto.AnswerRequest {
			switch host {
			case "client":
				return &proto.AnswerRequest{Migrations: []*proto.Migration{migration(1, 30, "who?"), migration(2, 10, "")},
					Counts: &proto.MigrationCounts{Queued: 1, Running: 2, Done: 3, Failed: 4, MedianUs: 100, P99Us: 200, SpanUs: 5000}}
			case "mb1":
				return &proto.AnswerRequest{Migrations: []*proto.Migration{migration(3, 20, "")},
					Counts: &proto.MigrationCounts{Done: 9, Failed: 1, MedianUs: 50, P99Us: 60, SpanUs: 4000}}
			case "mb3":
				return &proto.AnswerRequest{Error: "unknown query"}
			}
			return &proto.AnswerRequest{}
		})
		got, err := b.moves.List(t.Context(), &proto.ListMigrationsRequest{Job: 7, Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		want := &proto.ListMigrationsResponse{
			Migrations: []*proto.Migration{migration(1, 30, "client"), migration(3, 20, "mb1")},
			Counts:     &proto.MigrationCounts{Queued: 1, Running: 2, Done: 12, Failed: 5, MedianUs: 50, P99Us: 60, SpanUs: 5000},
			Missing:    []*proto.Missing{{Host: "mb3", Error: "unknown query"}},
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("migrations (-want +got):\n%s", diff)
		}
		wantQuery := &proto.Query{Body: &proto.Query_Migrations{Migrations: &proto.ListMigrationsRequest{Job: 7, Limit: 2}}}
		if diff := cmp.Diff(wantQuery, c.asked["client"][0], protocmp.Transform()); diff != "" {
			t.Errorf("query (-want +got):\n%s", diff)
		}
		for _, r := range []*proto.ListMigrationsRequest{{Limit: maxMigrations + 1}, {Session: make([]byte, 17)}} {
			_, err := b.moves.List(t.Context(), r)
			wantCode(t, err, connect.CodeInvalidArgument)
		}
	})
}

func TestWhoFollowsAJobAsksItsHostsAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(carrying(1))
		begun, err := b.moves.Start(t.Context(), moveAll("any"))
		if err != nil {
			t.Fatal(err)
		}
		asked := func(host string) (n int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, q := range c.asked[host] {
				if q.GetMigrations() != nil || q.GetAbort() != nil {
					n++
				}
			}
			return n
		}
		for _, tt := range []struct {
			job            uint64
			client, server int // how often they were asked since the beginning
		}{{begun.Job, 2, 0}, {begun.Job + 1, 4, 2}} {
			if _, err := b.moves.List(t.Context(), &proto.ListMigrationsRequest{Job: tt.job}); err != nil {
				t.Fatal(err)
			}
			if _, err := b.moves.Abort(t.Context(), &proto.AbortMigrationsRequest{Job: tt.job}); err != nil {
				t.Fatal(err)
			}
			if client, server := asked("client"), asked("server"); client != tt.client || server != tt.server {
				t.Errorf("client was asked %d times, server %d times, want %d and %d", client, server, tt.client, tt.server)
			}
		}
	})
}

func TestJobsAreForgotten(t *testing.T) {
	var j jobs
	for job := range uint64(maxJobs + 1) {
		j.add(job+1, []string{"a"})
	}
	if j.of(1) != nil || j.of(2) == nil || j.of(maxJobs+1) == nil || len(j.order) != maxJobs || len(j.hosts) != maxJobs {
		t.Errorf("%d jobs and %d hosts of them are known", len(j.order), len(j.hosts))
	}
}

func TestAbortAddsUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(func(host string, _ *proto.Query) *proto.AnswerRequest {
			if host == "server" {
				return &proto.AnswerRequest{Error: "unknown query"}
			}
			return &proto.AnswerRequest{Aborted: &proto.AbortMigrationsResponse{Aborted: 2, Late: 1}}
		})
		got, err := b.moves.Abort(t.Context(), &proto.AbortMigrationsRequest{Job: 7})
		if err != nil {
			t.Fatal(err)
		}
		want := &proto.AbortMigrationsResponse{Aborted: 6, Late: 3, Missing: []*proto.Missing{{Host: "server", Error: "unknown query"}}}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("abort (-want +got):\n%s", diff)
		}
		if got := c.asked["mb1"][0].GetAbort().GetJob(); got != 7 {
			t.Errorf("asked to abort job %d, want 7", got)
		}
		for _, r := range []*proto.AbortMigrationsRequest{{}, {Job: 1, Id: 16}} {
			_, err := b.moves.Abort(t.Context(), r)
			wantCode(t, err, connect.CodeInvalidArgument)
		}
	})
}

func TestAnswerOfMigrationsIsBounded(t *testing.T) {
	good := func() *proto.Migration { return migration(16, 1, "mb1") }
	texts := make([]string, maxHops+1)
	tests := []struct {
		name string
		set  func(*proto.AnswerRequest)
	}{
		{"number", func(r *proto.AnswerRequest) { r.Migrations = make([]*proto.Migration, maxMigrations+1) }},
		{"no plan", func(r *proto.AnswerRequest) { r.Migrations[0].Plan = nil }},
		{"session", func(r *proto.AnswerRequest) { r.Migrations[0].Plan.Session = make([]byte, 15) }},
		{"old hosts", func(r *proto.AnswerRequest) { r.Migrations[0].Plan.Old = texts }},
		{"new hosts", func(r *proto.AnswerRequest) { r.Migrations[0].Plan.New = texts }},
		{"hosts beyond", func(r *proto.AnswerRequest) { r.Migrations[0].Plan.Beyond = texts }},
		{"states", func(r *proto.AnswerRequest) { r.Migrations[0].Plan.State = make([]*proto.StatePair, 15) }},
		{"steps", func(r *proto.AnswerRequest) { r.Migrations[0].Steps = make([]*proto.MigrationStep, maxSteps+1) }},
		{"text", func(r *proto.AnswerRequest) { r.Migrations[0].State = strings.Repeat("a", maxText+1) }},
		{"text of a step", func(r *proto.AnswerRequest) {
			r.Migrations[0].Steps = []*proto.MigrationStep{{Why: &proto.MigrateWhy{Reason: strings.Repeat("a", maxText+1)}}}
		}},
	}
	for _, tt := range tests {
		r := &proto.AnswerRequest{Host: "mb1", Migrations: []*proto.Migration{good()}}
		if err := checkAnswer(r); err != nil {
			t.Fatal(err)
		}
		tt.set(r)
		if err := checkAnswer(r); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestIdsOfMigrationsLeaveRoomForTries(t *testing.T) {
	for range 1000 {
		if id := randomID(tryMask); id == 0 || id&tryMask != 0 {
			t.Fatalf("id %016x", id)
		}
	}
}
