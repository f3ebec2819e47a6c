// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
)

// beginning is what the client says of the sessions of chained.
func beginning(n int) []*proto.Session {
	all := chained(n)
	for _, s := range all {
		s.Role, s.Hops = proto.Role_ROLE_CLIENT, []string{"10.0.0.2", "10.0.0.4"}
		s.Right, s.Left = s.Left, nil
	}
	return all
}

// carryingAll answers for hosts of which client and mb1 have n sessions; what the
// client ends it has ended.
func carryingAll(n int) func(string, *proto.Query) *proto.AnswerRequest {
	return func(host string, q *proto.Query) *proto.AnswerRequest {
		if reset := q.GetEndSessions(); reset != nil {
			return &proto.AnswerRequest{EndedSessions: &proto.ResetAnswer{Ended: uint32(len(reset.Sessions)) - 1,
				Skipped: []*proto.Skipped{{Session: reset.Sessions[0], Reason: "no socket"}}}}
		}
		if q.GetSessions() == nil {
			return &proto.AnswerRequest{}
		}
		var all, fit []*proto.Session
		switch host {
		case "client":
			all = beginning(n)
		case "mb1":
			all = chained(n)
		}
		for _, s := range all {
			if bytes.HasPrefix(s.Id, q.GetSessions().Id) {
				fit = append(fit, s)
			}
		}
		return &proto.AnswerRequest{Sessions: fit}
	}
}

const liveTypes = "type fw { 10.0.0.2 }\ntype dpi { 10.0.0.5 }\n"

// resets returns how many sessions a host was asked to end at a time.
func (c *crowd) resets(host string) (sizes []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.asked[host] {
		if q.GetEndSessions() != nil {
			sizes = append(sizes, len(q.GetEndSessions().Sessions))
		}
	}
	return sizes
}

// settle waits until what an applied policy leaves to be done is done.
func settle() {
	time.Sleep(ackFor + time.Second) // in a bubble
	synctest.Wait()
}

func TestLiveSessionsFollowAnAppliedPolicy(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(carryingAll(3))
		got := b.apply(liveTypes + "match(srcport=1) >> {fw} live-sessions migrate\n" +
			"match(srcport=2) >> {fw}\nmatch(any) >> {dpi} live-sessions migrate")
		want := &proto.LiveSessions{Migrate: 1, Keep: 2}
		if diff := cmp.Diff(want, got.Live, protocmp.Transform()); diff != "" || got.LiveJob == 0 {
			t.Errorf("job %x, live sessions (-want +got):\n%s", got.LiveJob, diff)
		}
		if len(c.of("client")) > 0 {
			t.Errorf("migrations began before the hosts could have the policy")
		}
		settle()
		pushes := c.of("client")
		if len(pushes) != 1 || len(pushes[0].Wishes) != 1 || pushes[0].Job != got.LiveJob {
			t.Fatalf("pushed %v, want one migration of job %x", pushes, got.LiveJob)
		}
		plan := pushes[0].Wishes[0].Plan
		wantPlan := &proto.MigratePlan{Session: chained(3)[2].Id, Super: chained(3)[2].Super, PatienceMs: 5000,
			Guarantee: proto.Guarantee_GUARANTEE_LOSS_FREE, Left: "10.0.0.1", Right: "10.0.0.4",
			Old: []string{"10.0.0.2"}, New: []string{"10.0.0.5"}}
		if diff := cmp.Diff(wantPlan, plan, protocmp.Transform()); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
	})
}

// Hosts that have the policy at once are not waited for.
func TestLiveSessionsFollowAsSoonAsHostsHaveThePolicy(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.apply(liveTypes + "match(any) >> {fw}")
		a := b.subscribe("client", "10.0.0.1")
		a.acknowledge(a.subpolicy(1), 1, "")
		began := time.Now()
		go func() {
			for p := a.next(); p != nil; p = a.next() {
				switch {
				case p.GetSubpolicy() != nil:
					a.acknowledge(p, p.GetSubpolicy().Version, "")
				case p.GetQuery() != nil:
					_, _ = b.agents.Answer(t.Context(), &proto.AnswerRequest{Host: "client", Nonce: p.Nonce, Sessions: beginning(1)})
				}
			}
		}()
		if got := b.apply(liveTypes + "match(any) >> {fw} live-sessions migrate"); got.LiveJob != 0 || got.Live.Keep != 1 {
			t.Errorf("live %v, want one that keeps its chain", got)
		}
		synctest.Wait()
		if took := time.Since(began); took > 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestResetSessionsAreEndedByTheirClients(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(carryingAll(2500))
		got := b.apply(liveTypes + "match(any) >> {dpi} live-sessions reset")
		want := &proto.LiveSessions{Resets: 2500}
		if diff := cmp.Diff(want, got.Live, protocmp.Transform()); diff != "" || got.LiveJob != 0 {
			t.Errorf("job %x, live sessions (-want +got):\n%s", got.LiveJob, diff)
		}
		settle()
		if diff := cmp.Diff([]int{1000, 1000, 500}, c.resets("client")); diff != "" {
			t.Errorf("sessions that the client should end (-want +got):\n%s", diff)
		}
	})
}

func TestANewerPolicySupersedesWhatAnOlderOneLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(carryingAll(2))
		b.apply(liveTypes + "match(any) >> {dpi} live-sessions reset")
		b.apply(liveTypes + "match(any) >> {dpi}")
		settle()
		if n := len(c.resets("client")); n != 0 {
			t.Errorf("client was asked %d times to end sessions by a policy that does not run any more", n)
		}
	})
}

// Migrations that wait when the next policy comes would be in its way.
func TestANewerPolicyAbortsTheJobOfAnOlderOne(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(carryingAll(2))
		first := b.apply(liveTypes + "match(any) >> {dpi} live-sessions migrate")
		settle()
		b.apply(liveTypes + "match(any) >> {fw}")
		settle()
		var aborted []uint64
		for _, q := range c.asked["client"] {
			if q.GetAbort() != nil {
				aborted = append(aborted, q.GetAbort().Job)
			}
		}
		if diff := cmp.Diff([]uint64{first.LiveJob}, aborted); diff != "" {
			t.Errorf("aborted jobs (-want +got):\n%s", diff)
		}
	})
}

// To apply the same policy again is to try again with what stayed as it was.
func TestTheSamePolicyIsFollowedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(carryingAll(1))
		for range 2 {
			b.apply(liveTypes + "match(any) >> {dpi} live-sessions migrate")
			settle()
		}
		if pushes := c.of("client"); len(pushes) != 2 {
			t.Errorf("%d jobs were pushed, want 2", len(pushes))
		}
	})
}

func TestApplyDoesNotWaitForSilentHosts(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.answering(func(host string, q *proto.Query) *proto.AnswerRequest {
			if host == "mb3" {
				return nil
			}
			return carryingAll(1)(host, q)
		})
		began := time.Now()
		got := b.apply(liveTypes + "match(any) >> {dpi} live-sessions migrate")
		if took := time.Since(began); took > countFor {
			t.Errorf("took %v", took)
		}
		want := &proto.LiveSessions{Stay: 1, Missing: []*proto.Missing{{Host: "mb3", Error: "no answer in time"}},
			Skipped: []*proto.Skipped{{Session: chained(1)[0].Id, Reason: "mb3 did not answer"}}}
		if diff := cmp.Diff(want, got.Live, protocmp.Transform()); diff != "" || got.LiveJob == 0 {
			t.Errorf("job %x, live sessions (-want +got):\n%s", got.LiveJob, diff)
		}
	})
}

// A host that is switched off for good is no reason to look for a job each time.
func TestAHostThatIsAwayMakesNoJob(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.answering(carryingAll(1))
		off := b.subscribe("mb9", "10.0.0.9")
		off.subpolicy(0)
		off.leave()
		synctest.Wait()
		got := b.apply(liveTypes + "match(any) >> {fw} live-sessions migrate")
		want := &proto.LiveSessions{Keep: 1, Missing: []*proto.Missing{{Host: "mb9", Error: "not connected"}}}
		if diff := cmp.Diff(want, got.Live, protocmp.Transform()); diff != "" || got.LiveJob != 0 {
			t.Errorf("job %x, live sessions (-want +got):\n%s", got.LiveJob, diff)
		}
	})
}

func TestCheckSaysWhatAPolicyWouldMakeOfLiveSessions(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(carryingAll(3))
		got, err := b.policy.Check(t.Context(), &proto.CheckRequest{Live: true,
			Source: liveTypes + "match(srcport=1) >> {} live-sessions migrate\nmatch(srcport=2) >> {dpi} live-sessions reset"})
		if err != nil {
			t.Fatal(err)
		}
		want := &proto.CheckResponse{Rules: 2, Types: 2, Instances: 2, Live: &proto.LiveSessions{Migrate: 1, Resets: 1, Keep: 1}}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("check (-want +got):\n%s", diff)
		}
		settle()
		if n := len(c.of("client")) + len(c.resets("client")); n != 0 {
			t.Errorf("%d orders went out", n)
		}
		if now, err := b.policy.Get(t.Context(), &proto.GetRequest{}); err != nil || now.Version != 0 {
			t.Errorf("version %d runs, error %v", now.GetVersion(), err)
		}
	})
}

func TestWorkForAnOlderPolicyComesTooLate(t *testing.T) {
	f := newFollowUps()
	f.add(followUp{version: 3, job: 1})
	f.add(followUp{version: 2, job: 2})
	if _, next := f.take(t.Context()); next == nil || next.job != 1 {
		t.Errorf("work %v, want that of version 3", next)
	}
	f.done()
}
