// SPDX-License-Identifier: Apache-2.0

package api

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mbchain/proto"
)

// moving answers for hosts whose n sessions pass mb1 until their migration is begun.
type moving struct {
	mu   sync.Mutex
	n    int
	left map[string]bool // by session
}

func (m *moving) answer(host string, q *proto.Query) *proto.AnswerRequest {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case q.GetMigrate() != nil:
		for _, w := range q.GetMigrate().Wishes {
			m.left[string(w.Plan.Session)] = true
		}
		return &proto.AnswerRequest{}
	case q.GetMigrations() != nil:
		return &proto.AnswerRequest{Counts: &proto.MigrationCounts{Done: uint32(len(m.left))}}
	case q.GetSessions() == nil:
		return &proto.AnswerRequest{}
	}
	var all []*proto.Session
	switch host {
	case "client":
		all = beginning(m.n)
		for _, s := range all {
			if m.left[string(s.Id)] {
				s.Right.Tuple.Destination, s.Hops = "10.0.0.5", []string{"10.0.0.5", "10.0.0.4"}
			}
		}
	case "mb1":
		for _, s := range chained(m.n) {
			if !m.left[string(s.Id)] {
				s.Role = proto.Role_ROLE_MIDDLE
				all = append(all, s)
			}
		}
	}
	return &proto.AnswerRequest{Sessions: all}
}

// drained returns the only drain that there is.
func (b *bench) drained() *proto.Drain {
	b.t.Helper()
	got, err := b.nfs().List(b.t.Context(), &proto.ListNFsRequest{})
	if err != nil || len(got.Drains) != 1 {
		b.t.Fatalf("drains %v, error %v", got.GetDrains(), err)
	}
	return got.Drains[0]
}

// A drained host is emptied, in pieces, whatever the rule says of live sessions.
func TestDrainMovesLiveSessions(t *testing.T) {
	const sessions = 2*maxLeave + 7
	inBubble(t, func(t *testing.T, b *bench) {
		m := &moving{n: sessions, left: map[string]bool{}}
		c := b.answering(m.answer)
		b.apply(twoFirewalls)
		if _, err := b.nfs().Drain(t.Context(), &proto.DrainRequest{Host: "mb1"}); err != nil {
			t.Fatal(err)
		}
		// Hosts that do not say that they have what new sessions choose by are not waited
		// for without end.
		time.Sleep(judgeEvery + ackFor)
		synctest.Wait()
		if d := b.drained(); d.Left != sessions || d.Moving != maxLeave || d.Stuck != "" {
			t.Errorf("drain %v, want %d left, %d of them moving", d, sessions, maxLeave)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if d := b.drained(); d.Left != 0 || d.LookedUnixMs == 0 || d.Moving != 0 {
			t.Errorf("drain %v, want none left", d)
		}
		var sizes []int
		for _, q := range c.of("client") {
			sizes = append(sizes, len(q.Wishes))
			for _, w := range q.Wishes {
				if p := w.Plan; len(p.Old) != 1 || p.Old[0] != "10.0.0.2" || len(p.New) != 1 || p.New[0] != "10.0.0.5" {
					t.Fatalf("plan %v", p)
				}
			}
		}
		if len(sizes) != 3 || sizes[0] != maxLeave || sizes[1] != maxLeave || sizes[2] != 7 {
			t.Errorf("begun %v at a time", sizes)
		}
	})
}

// What cannot leave is named, and looked at ever less often.
func TestDrainNamesWhatIsStuck(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		m := &moving{n: 3, left: map[string]bool{}}
		c := b.answering(m.answer)
		b.apply("type fw { mb1 10.0.0.2 }\nmatch(any) >> {fw}\n")
		if _, err := b.nfs().Drain(t.Context(), &proto.DrainRequest{Host: "mb1", Type: "fw"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if d := b.drained(); d.Left != 3 || d.Stuck == "" {
			t.Errorf("drain %v, want three stuck", d)
		}
		asked := 0
		c.mu.Lock()
		for _, q := range c.asked["mb1"] {
			if q.GetSessions() != nil {
				asked++
			}
		}
		c.mu.Unlock()
		if asked < 4 || asked > 40 {
			t.Errorf("mb1 was asked for its sessions %d times in ten minutes", asked)
		}
	})
}

// Of sessions on an instance that is overloaded those move whose rule says so, some at
// a time; of one that has failed all of these.
func TestLiveSessionsLeaveByTheirRule(t *testing.T) {
	tests := []struct {
		name string
		rule string
		load *proto.LoadReport
		want int // sessions at once, as far as there are any; 0: none ever
	}{
		{"overloaded", "match(any) >> {fw} live-sessions migrate", &proto.LoadReport{CpuPermille: 990, Sessions: 30, TooBusyPermille: 900}, 3},
		{"failed", "match(any) >> {fw} live-sessions migrate", &proto.LoadReport{Probe: proto.Probe_PROBE_FAILED}, 30},
		{"overloaded, new sessions only", "match(any) >> {fw}", &proto.LoadReport{CpuPermille: 990, Sessions: 30, TooBusyPermille: 900}, 0},
		{"failed, of another rule", "match(dstport=1) >> {fw} live-sessions migrate\nmatch(any) >> {fw}", &proto.LoadReport{Probe: proto.Probe_PROBE_FAILED}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				m := &moving{n: 30, left: map[string]bool{}}
				b.apply("match(any) >> {}")
				b.answeringFrom(1, m.answer)
				b.apply("type fw { mb1 10.0.0.2, mb3 10.0.0.5 }\n" + tt.rule)
				time.Sleep(10 * time.Second)
				m.mu.Lock()
				before := len(m.left) // because the policy was applied
				m.mu.Unlock()
				b.report("mb1", tt.load)
				time.Sleep(6 * time.Second)
				synctest.Wait()
				m.mu.Lock()
				got := len(m.left) - before
				m.mu.Unlock()
				if tt.want == 0 && got > 0 || tt.want > 0 && got != min(tt.want, m.n-before) {
					t.Errorf("%d sessions have left, want them %d at a time", got, tt.want)
				}
			})
		})
	}
}
