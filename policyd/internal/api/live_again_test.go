// SPDX-License-Identifier: Apache-2.0

package api

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mbchain/proto"
)

// following answers for hosts whose one session follows the policy from the migration of
// this number on; the ones before it fail.
func following(from int32) func(string, *proto.Query) *proto.AnswerRequest {
	var begun atomic.Int32
	return func(host string, q *proto.Query) *proto.AnswerRequest {
		switch {
		case q.GetMigrate() != nil:
			begun.Add(1)
		case q.GetMigrations() != nil && host == "client":
			n := begun.Load()
			done := max(0, n-from+1)
			return &proto.AnswerRequest{Counts: &proto.MigrationCounts{Done: uint32(done), Failed: uint32(n - done)}}
		case begun.Load() >= from:
			return &proto.AnswerRequest{}
		}
		return carryingAll(1)(host, q)
	}
}

// hour is more than policyd tries for.
func hour() {
	time.Sleep(time.Hour) // in a bubble
	synctest.Wait()
}

func TestWhatDidNotFollowIsTriedAgain(t *testing.T) {
	for _, row := range []struct {
		name    string
		answer  func(string, *proto.Query) *proto.AnswerRequest
		pushes  int
		surveys int // of sessions, the one of Apply included
	}{
		{"it follows at once", following(1), 1, 2},
		{"one try fails", following(2), 2, 4},
		{"all tries fail", following(1000), 8, 9},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				c := b.answering(row.answer)
				b.apply(liveTypes + "match(any) >> {dpi} live-sessions migrate")
				hour()
				pushes := c.of("client")
				if len(pushes) != row.pushes {
					t.Errorf("%d migrations were pushed, want %d", len(pushes), row.pushes)
				}
				for _, p := range pushes {
					if p.Job != pushes[0].Job {
						t.Errorf("job %x, want that of the first, %x", p.Job, pushes[0].Job)
					}
				}
				surveys := 0
				for _, q := range c.asked["client"] {
					if q.GetSessions() != nil {
						surveys++
					}
				}
				if surveys != row.surveys {
					t.Errorf("the client was asked %d times for its sessions, want %d", surveys, row.surveys)
				}
			})
		})
	}
}

func TestANewerPolicyEndsTheTries(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(following(1000))
		b.apply(liveTypes + "match(any) >> {dpi} live-sessions migrate")
		settle()
		b.apply(liveTypes + "match(any) >> {fw}")
		hour()
		if n := len(c.of("client")); n != 1 {
			t.Errorf("%d migrations were pushed, want 1", n)
		}
	})
}
