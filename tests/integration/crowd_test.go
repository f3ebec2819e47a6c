// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"
	"time"
)

// Five hundred sessions at once, each with its own bytes.
func TestManySessionsAtOnce(t *testing.T) {
	const (
		port     = 5001
		sessions = 500
		dialers  = 8
	)
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=%d) >> %s\n", port, l.chain(2)))
	path := append(l.all()[:3:3], l.server())
	e := l.server().echo(t, port)
	before := l.client().counters(t)

	type result struct {
		conn interface{ Close() error }
		err  error
	}
	turns, results := make(chan struct{}, dialers), make(chan result, sessions)
	talkNow := make(chan struct{})
	begun := time.Now()
	for range sessions {
		go func() {
			turns <- struct{}{}
			c, err := l.client().dial(t.Context(), l.client().port(0), e.port(port))
			<-turns
			if err != nil {
				results <- result{err: err}
				return
			}
			results <- result{conn: c}
			<-talkNow
			results <- result{conn: c, err: ask(c, 20_000)}
		}()
	}
	for range sessions {
		if r := <-results; r.err != nil {
			t.Fatal(r.err)
		}
	}
	t.Logf("%d sessions set up in %v", sessions, time.Since(begun).Round(time.Millisecond))
	awaitSessions(t, sessions, path...)
	listed := make(map[[16]byte]bool)
	for _, s := range l.client().sessions(t) {
		listed[s.ID] = true
	}
	if len(listed) != sessions {
		t.Errorf("%d ids, want %d", len(listed), sessions)
	}

	close(talkNow)
	for range sessions {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
		}
		if r.conn != nil {
			_ = r.conn.Close()
		}
	}
	awaitSessions(t, 0, l.all()...)
	risen := l.client().counters(t).since(before)
	if risen["setup_started"] != sessions || risen["end_fin"] != sessions {
		t.Errorf("counters of the client rose by %v, want %d set up and ended by FIN", risen, sessions)
	}
}
