// SPDX-License-Identifier: Apache-2.0

package push

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/agentd/internal/subpolicy"
	"mbchain/proto"
)

// host is a Handler that notes its offers.
type host struct {
	offers chan subpolicy.Offered
	hold   time.Duration // how long it takes to take one
	held   *proto.Subpolicy
	answer func(context.Context, *proto.Query) *proto.AnswerRequest
}

func (h *host) Registration(context.Context) (*proto.SubscribeRequest, *proto.Subpolicy) {
	return &proto.SubscribeRequest{Addresses: []string{"10.0.0.1"}, RunningVersion: 3}, h.held
}

func (h *host) Running() uint64 { return 3 }

func (h *host) Offer(_ context.Context, ref subpolicy.Ref, sub *proto.Subpolicy) {
	time.Sleep(h.hold)
	h.offers <- subpolicy.Offered{Ref: ref, Subpolicy: sub}
}

func (h *host) Answer(ctx context.Context, q *proto.Query) *proto.AnswerRequest {
	return h.answer(ctx, q)
}

// bench is a client in the middle of a fake policyd and a host.
type bench struct {
	*testing.T
	policyd *policyd
	host    *host
	client  *Client
	log     *bytes.Buffer // read it only when the client is still
	stop    func()        // ends the client and checks that it ends well
	misfits []string      // as log
}

func start(t *testing.T) *bench { return startHolding(t, nil) }

// startHolding starts a client whose host has a subpolicy from before.
func startHolding(t *testing.T, held *proto.Subpolicy) *bench {
	b := &bench{
		T:       t,
		policyd: startPolicyd(t),
		host:    &host{offers: make(chan subpolicy.Offered, 16), held: held},
		log:     new(bytes.Buffer),
	}
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	b.client = New(Config{
		Host: "mb1", Policyd: []string{"policyd1:7400"},
		Log:    slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{ReplaceAttr: noTime})),
		Dial:   b.policyd.dial,
		Random: func() float64 { return 0.5 },
		Misfit: func(reason string) { b.misfits = append(b.misfits, reason) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.client.Run(ctx, b.host) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v, want canceled", err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

func (b *bench) want(what string, want, got any) {
	b.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func offerOf(nonce, version uint64) *proto.Push {
	return &proto.Push{Nonce: nonce, Body: &proto.Push_Subpolicy{Subpolicy: &proto.Subpolicy{Version: version}}}
}

func TestClientRegistersAndHandsOffersOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		want := &proto.SubscribeRequest{Host: "mb1", Addresses: []string{"10.0.0.1"}, RunningVersion: 3, TakesChanges: true}
		b.want("registration", want, <-b.policyd.subscribed)
		if b.client.Connected() {
			t.Error("connected before the first push")
		}
		b.policyd.pushes <- offerOf(1, 7)
		offered := subpolicy.Offered{
			Ref: subpolicy.Ref{Stream: 1, Nonce: 1}, Subpolicy: &proto.Subpolicy{Version: 7},
		}
		b.want("offer", offered, <-b.host.offers)
		if !b.client.Connected() {
			t.Error("not connected after the first push")
		}
		b.client.Acknowledge(t.Context(), subpolicy.Acknowledge{Ref: offered.Ref, Version: 3, Err: "too odd"})
		b.client.Acknowledge(t.Context(), subpolicy.Acknowledge{Ref: offered.Ref, Version: 7})
		b.want("nack", &proto.AcknowledgeRequest{Host: "mb1", Nonce: 1, Version: 3, Error: "too odd"}, <-b.policyd.acks)
		b.want("ack", &proto.AcknowledgeRequest{Host: "mb1", Nonce: 1, Version: 7}, <-b.policyd.acks)
	})
}

func TestClientAnswersQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.host.answer = func(_ context.Context, q *proto.Query) *proto.AnswerRequest {
			return &proto.AnswerRequest{Error: q.String(), Truncated: true}
		}
		query := &proto.Query{Body: &proto.Query_Stats{Stats: &proto.StatsQuery{}}}
		b.policyd.pushes <- &proto.Push{Nonce: 9, Body: &proto.Push_Query{Query: query}}
		want := &proto.AnswerRequest{Host: "mb1", Nonce: 9, Error: query.String(), Truncated: true}
		b.want("answer", want, <-b.policyd.answers)
	})
}

func TestClientReadsOnWhileItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.host.answer = func(ctx context.Context, _ *proto.Query) *proto.AnswerRequest {
			<-ctx.Done() // too slow: the client gives it callTimeout
			return &proto.AnswerRequest{Error: ctx.Err().Error()}
		}
		query := &proto.Query{Body: &proto.Query_Status{Status: &proto.StatusQuery{}}}
		b.policyd.pushes <- &proto.Push{Nonce: 1, Body: &proto.Push_Query{Query: query}}
		b.policyd.pushes <- offerOf(2, 7)
		b.want("offer's nonce", uint64(2), (<-b.host.offers).Ref.Nonce)
		time.Sleep(callTimeout + time.Second)
		b.stop()
		if got := len(b.policyd.subscribed); got != 1 {
			t.Errorf("%d subscriptions, want 1: a slow answer must not end it", got)
		}
	})
}

func TestClientComesBackForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		<-b.policyd.subscribed
		b.policyd.pushes <- offerOf(1, 7)
		<-b.host.offers
		// Long enough for the pause to begin anew.
		keepAlive(b, 3)

		b.policyd.down.Store(true)
		b.policyd.pushes <- nil
		synctest.Wait()
		if b.client.Connected() {
			t.Error("connected after the subscription ended")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := strings.Count(b.log.String(), "level=WARN"); got != 2 {
			t.Errorf("%d warnings, want 2: one that it ended, one that nobody listens:\n%s", got, b.log)
		}

		b.policyd.down.Store(false)
		<-b.policyd.subscribed
		b.policyd.pushes <- offerOf(1, 7)
		ref := (<-b.host.offers).Ref
		if ref.Stream < 2 || ref.Nonce != 1 {
			t.Errorf("offer has reference %v, want one of a later stream", ref)
		}
		// An answer to the first subscription's offer must not be taken
		// for one to this one's.
		b.client.Acknowledge(t.Context(), subpolicy.Acknowledge{Ref: subpolicy.Ref{Stream: 1, Nonce: 1}, Version: 6})
		b.client.Acknowledge(t.Context(), subpolicy.Acknowledge{Ref: ref, Version: 7})
		b.want("ack", &proto.AcknowledgeRequest{Host: "mb1", Nonce: 1, Version: 7}, <-b.policyd.acks)
	})
}

// keepAlive keeps the subscription alive for n of policyd's intervals.
func keepAlive(b *bench, n int) {
	for range n {
		time.Sleep(5 * time.Second)
		b.policyd.pushes <- &proto.Push{Nonce: 1, Body: &proto.Push_KeepAlive{KeepAlive: &proto.KeepAlive{}}}
	}
}

// Policyd tells the time with its keep-alives; what it told is forgotten when it goes.
func TestClientKnowsPolicydsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		<-b.policyd.subscribed
		b.policyd.pushes <- offerOf(1, 7)
		<-b.host.offers
		keepAlive(b, 1) // of a policyd that does not tell
		synctest.Wait()
		if ahead, known := b.client.Ahead(); known {
			t.Errorf("ahead by %v before policyd told the time", ahead)
		}
		for _, want := range []time.Duration{90 * time.Second, -20 * time.Second} {
			b.policyd.pushes <- &proto.Push{Nonce: 1, Body: &proto.Push_KeepAlive{
				KeepAlive: &proto.KeepAlive{UnixMs: time.Now().Add(-want).UnixMilli()},
			}}
			synctest.Wait()
			if ahead, known := b.client.Ahead(); !known || ahead != want {
				t.Errorf("ahead by %v, %t, want %v", ahead, known, want)
			}
		}
		b.policyd.pushes <- nil
		synctest.Wait()
		if ahead, known := b.client.Ahead(); known {
			t.Errorf("ahead by %v of a policyd that is gone", ahead)
		}
	})
}

func TestClientLeavesASilentPolicyd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		<-b.policyd.subscribed
		began := time.Now()
		b.policyd.pushes <- offerOf(1, 7)
		<-b.host.offers
		keepAlive(b, 12)
		<-b.policyd.subscribed
		if got, want := time.Since(began), 60*time.Second+Silence+MinPause; got != want {
			t.Errorf("subscribed again after %v, want %v", got, want)
		}
		b.stop()
		if !strings.Contains(b.log.String(), "policyd was silent for 15s") {
			t.Errorf("log does not name the silence:\n%s", b.log)
		}
	})
}

// A host that took longer than Silence to take an offer, because a long policy
// was being loaded, blamed policyd and subscribed again.
func TestClientKnowsItsOwnSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.host.hold = Silence + time.Second
		<-b.policyd.subscribed
		b.policyd.pushes <- offerOf(1, 7)
		b.want("stream", uint64(1), (<-b.host.offers).Ref.Stream)
		b.policyd.pushes <- offerOf(2, 8)
		b.want("stream", uint64(1), (<-b.host.offers).Ref.Stream)
		began := time.Now()
		<-b.policyd.subscribed
		if got, want := time.Since(began), Silence+MinPause; got != want {
			t.Errorf("subscribed again after %v of true silence, want %v", got, want)
		}
	})
}

func TestClientBeginsAnewWhenAnAcknowledgementIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		b.policyd.ackErr = connect.NewError(connect.CodeUnavailable, errors.New("no leader"))
		<-b.policyd.subscribed
		b.policyd.pushes <- offerOf(1, 7)
		b.client.Acknowledge(t.Context(), subpolicy.Acknowledge{Ref: (<-b.host.offers).Ref, Version: 7})
		<-b.policyd.acks
		<-b.policyd.subscribed
		b.stop()
		if !strings.Contains(b.log.String(), "acknowledge: unavailable: no leader") {
			t.Errorf("log does not name the failure:\n%s", b.log)
		}
	})
}

func TestClientThatIsThrownOutAtOnceSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		began := time.Now()
		for range 5 {
			<-b.policyd.subscribed
			b.policyd.pushes <- offerOf(1, 7)
			<-b.host.offers
			b.policyd.pushes <- nil
		}
		<-b.policyd.subscribed
		// 0.25 + 0.5 + 1 + 2 + 4
		if got, want := time.Since(began), 7750*time.Millisecond; got != want {
			t.Errorf("six subscriptions took %v, want %v", got, want)
		}
	})
}

// One policyd of three is there, and then another.
func TestClientFindsAPolicydThatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startPolicyd(t)
		var mu sync.Mutex
		alive, dialled := "c:1", []string(nil)
		client := New(Config{
			Host: "mb1", Policyd: []string{"a:1", "b:1", "c:1"}, Log: slog.New(slog.DiscardHandler),
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				dialled = append(dialled, address)
				if address != alive {
					return nil, syscall.ECONNREFUSED
				}
				return p.dial(ctx, network, address)
			},
			Random: func() float64 { return 0.5 },
		})
		h := &host{offers: make(chan subpolicy.Offered, 16)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- client.Run(ctx, h) }()
		began := time.Now()
		<-p.subscribed
		p.pushes <- offerOf(1, 7)
		<-h.offers
		if took := time.Since(began); took != 0 {
			t.Errorf("found after %v, want no pause before all were tried", took)
		}
		if got := client.Address(); got != "c:1" || !client.Connected() {
			t.Errorf("follows %s, connected %t", got, client.Connected())
		}
		mu.Lock()
		alive, dialled = "b:1", nil
		mu.Unlock()
		p.pushes <- nil
		<-p.subscribed
		if took := time.Since(began); took != MinPause {
			t.Errorf("back after %v, want one pause of %v", took, MinPause)
		}
		mu.Lock()
		if diff := cmp.Diff([]string{"a:1", "b:1"}, dialled); diff != "" {
			t.Errorf("dialled (-want +got):\n%s", diff)
		}
		mu.Unlock()
		cancel()
		<-ended
	})
}
