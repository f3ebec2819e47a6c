// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
)

// asked is what one call of Ask returned.
type asked struct {
	Answers []*proto.AnswerRequest
	Missing []*proto.Missing
	Err     error
}

func (d *domain) ask(ctx context.Context, name string) <-chan asked {
	done := make(chan asked, 1)
	go func() {
		var a asked
		a.Answers, a.Missing, a.Err = d.hub.Ask(ctx, name, &proto.Query{Body: &proto.Query_Stats{Stats: &proto.StatsQuery{}}})
		done <- a
	}()
	return done
}

func (a *agent) answer(nonce uint64) *proto.AnswerRequest {
	a.t.Helper()
	answer := &proto.AnswerRequest{Host: a.name, Nonce: nonce}
	if err := a.d.hub.Answer(answer); err != nil {
		a.t.Fatal(err)
	}
	return answer
}

func wantAsked(t *testing.T, want, got asked) {
	t.Helper()
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestAskGathersAnswersAndNamesTheMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		a, b := d.connect(registration("a", "10.0.0.1")), d.connect(registration("b", "10.0.0.2"))
		failing, silent := d.connect(registration("failing", "10.0.0.3")), d.connect(registration("silent", "10.0.0.4"))
		d.connect(registration("away", "10.0.0.5")).leave()
		leaving := d.connect(registration("leaving", "10.0.0.6"))
		time.Sleep(settleFor)
		for _, agent := range []*agent{a, b, failing, silent, leaving} {
			agent.take()
		}

		began := time.Now()
		done := d.ask(t.Context(), "")
		fromB := b.answer(b.question()) // in another order than their names
		fromA := a.answer(a.question())
		if err := d.hub.Answer(&proto.AnswerRequest{Host: "failing", Nonce: failing.question(), Error: "no module"}); err != nil {
			t.Fatal(err)
		}
		leaving.leave()
		late := silent.question()
		wantAsked(t, asked{
			Answers: []*proto.AnswerRequest{fromA, fromB},
			Missing: []*proto.Missing{
				{Host: "away", Error: "not connected"},
				{Host: "failing", Error: "no module"},
				{Host: "leaving", Error: "the host's stream ended: context canceled"},
				{Host: "silent", Error: "no answer in time"},
			},
		}, <-done)
		if took := time.Since(began); took != AskFor {
			t.Errorf("took %v, want %v", took, AskFor)
		}
		silent.answer(late) // nobody waits for it: no error, and no leak
		d.hub.mu.Lock()
		defer d.hub.mu.Unlock()
		for name, e := range d.hub.hosts {
			if e.stream != nil && len(e.stream.pending) != 0 {
				t.Errorf("host %s still has questions", name)
			}
		}
	})
}

func TestAskOneHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		a, b := d.connect(registration("a", "10.0.0.1")), d.connect(registration("b", "10.0.0.2"))
		time.Sleep(settleFor)
		a.take()
		b.take()
		began := time.Now()
		done := d.ask(t.Context(), "b")
		answer := b.answer(b.question())
		wantAsked(t, asked{Answers: []*proto.AnswerRequest{answer}}, <-done)
		if time.Since(began) != 0 {
			t.Error("waited for somebody else")
		}
		if p := a.take(); len(p) != 0 {
			t.Errorf("the other host was sent %v", p)
		}
		if got := <-d.ask(t.Context(), "c"); !errors.Is(got.Err, ErrUnknownHost) {
			t.Errorf("error %v, want %v", got.Err, ErrUnknownHost)
		}
	})
}

func TestAnswerBelongsToTheStreamThatWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		a := d.connect(registration("a", "10.0.0.1"))
		a.take()
		done := d.ask(t.Context(), "a")
		nonce := a.question()
		newer := d.connect(registration("a", "10.0.0.1"))
		newer.answer(nonce)
		wantAsked(t, asked{Missing: []*proto.Missing{
			{Host: "a", Error: "the host's stream ended: " + ErrReplaced.Error()},
		}}, <-done)
		if err := d.hub.Answer(&proto.AnswerRequest{Host: "nobody", Nonce: 1}); !errors.Is(err, ErrNoStream) {
			t.Errorf("error %v, want %v", err, ErrNoStream)
		}
	})
}

func TestAskStopsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.connect(registration("a", "10.0.0.1"))
		ctx, cancel := context.WithCancel(t.Context())
		done := d.ask(ctx, "")
		synctest.Wait()
		cancel()
		wantAsked(t, asked{Missing: []*proto.Missing{{Host: "a", Error: "no answer in time"}}}, <-done)
	})
}

func TestQuestionsToASlowHostAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		stall := make(chan struct{})
		slow := d.open(registration("slow", "10.0.0.1"), stall)
		synctest.Wait()
		var waiting []<-chan asked
		for range maxQuestions {
			waiting = append(waiting, d.ask(t.Context(), "slow"))
		}
		synctest.Wait()
		wantAsked(t, asked{Missing: []*proto.Missing{
			{Host: "slow", Error: "the host does not keep up with the questions it has"},
		}}, <-d.ask(t.Context(), "slow"))
		for _, done := range waiting {
			wantAsked(t, asked{Missing: []*proto.Missing{{Host: "slow", Error: "no answer in time"}}}, <-done)
		}
		close(stall) // questions that nobody waits for any more are not sent
		for _, p := range slow.take() {
			if p.GetQuery() != nil {
				t.Errorf("pushed %v", p)
			}
		}
	})
}
