// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"mbchain/agentd/internal/subpolicy"
	"mbchain/proto"
	"mbchain/proto/delta"
	"mbchain/proto/protoconnect"
)

const (
	// Silence is how long policyd may say nothing: three of its keep-alives.
	Silence = 15 * time.Second
	// callTimeout limits an acknowledgement or answer, and dialling. It is
	// less than Silence, so that a slow call is what a log names.
	callTimeout = 10 * time.Second
	// maxPush is how large a push may be, in bytes: more than the largest
	// subpolicy that the module takes.
	maxPush = 64 << 20
	// maxQueries is how many queries are worked on at once. policyd waits
	// with the next ones.
	maxQueries = 4
	// maxAcks is how many acknowledgements wait to be sent. One offer has
	// one or two; who comes too early waits.
	maxAcks = 8
)

// stream is one subscription.
type stream struct {
	config Config
	number uint64
	client protoconnect.AgentServiceClient
	close  func()                  // gives the connection back
	cancel context.CancelCauseFunc // set by run
	heard  func(at time.Time)      // policyd's clock

	held *delta.Whole // what the next change is one of; of the receiving goroutine

	acks chan *proto.AcknowledgeRequest
	done chan struct{} // closed when nobody reads acks any more
}

func newStream(config Config, address string, number uint64) *stream {
	var protocols http.Protocols
	scheme := "https://"
	if protocols.SetHTTP2(true); config.TLS == nil {
		scheme = "http://"
		protocols.SetUnencryptedHTTP2(true)
	}
	// One connection for each subscription, and none left over from a
	// policyd that is gone.
	transport := &http.Transport{
		Protocols: &protocols, DialContext: config.Dial,
		TLSClientConfig: config.TLS, TLSHandshakeTimeout: callTimeout,
	}
	return &stream{
		config: config,
		number: number,
		client: protoconnect.NewAgentServiceClient(&http.Client{Transport: transport},
			scheme+address, connect.WithReadMaxBytes(maxPush)),
		close: transport.CloseIdleConnections,
		acks:  make(chan *proto.AcknowledgeRequest, maxAcks),
		done:  make(chan struct{}),
	}
}

// run subscribes and follows the pushes; connected is called at the first one.
// It returns why the subscription ended.
func (s *stream) run(ctx context.Context, h Handler, connected func()) error {
	defer s.close()
	ctx, s.cancel = context.WithCancelCause(ctx)
	defer s.cancel(nil)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.sendAcks(ctx) })
	group.Go(func() error { return s.receive(ctx, h, connected) })
	return group.Wait()
}

func (s *stream) receive(ctx context.Context, h Handler, connected func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	silence := time.AfterFunc(Silence, func() { cancel(errSilent) })
	defer silence.Stop()

	var queries errgroup.Group
	queries.SetLimit(maxQueries)
	defer func() {
		cancel(nil)
		_ = queries.Wait() // they return nothing but nil
	}()

	pushes, err := s.client.Subscribe(ctx, s.registration(ctx, h))
	if err != nil {
		return ended(ctx, err)
	}
	defer func() { _ = pushes.Close() }()
	for first := true; ; first = false {
		silence.Reset(Silence)
		if !pushes.Receive() {
			break
		}
		silence.Stop() // what takes time now is not policyd
		if first {
			connected()
		}
		push := pushes.Msg()
		switch body := push.GetBody().(type) {
		case *proto.Push_Subpolicy:
			s.held = delta.New(body.Subpolicy, s.held)
			h.Offer(ctx, subpolicy.Ref{Stream: s.number, Nonce: push.GetNonce()}, body.Subpolicy)
		case *proto.Push_Change:
			s.change(ctx, h, push.GetNonce(), body.Change)
		case *proto.Push_Revocations:
			s.revoked(body.Revocations)
		case *proto.Push_Query:
			queries.Go(func() error { s.answer(ctx, h, push.GetNonce(), body.Query); return nil })
		case *proto.Push_KeepAlive:
			if at := body.KeepAlive.GetUnixMs(); at != 0 {
				s.heard(time.UnixMilli(at))
			}
		}
		// A push of a later policyd is passed over.
	}
	return ended(ctx, pushes.Err())
}

// registration is what policyd is told first.
func (s *stream) registration(ctx context.Context, h Handler) *proto.SubscribeRequest {
	r, sub := h.Registration(ctx)
	r.Host, r.TakesChanges = s.config.Host, true
	if sub != nil {
		s.held = delta.New(sub, nil)
		digest := s.held.Digest()
		r.Held = digest[:]
	}
	return r
}

// change offers what comes of a change, or says that it does not fit, so that policyd
// pushes the whole.
func (s *stream) change(ctx context.Context, h Handler, nonce uint64, c *proto.SubpolicyChange) {
	now, err := s.held.Apply(c)
	if err == nil {
		s.held = now
		h.Offer(ctx, subpolicy.Ref{Stream: s.number, Nonce: nonce}, now.Subpolicy())
		return
	}
	s.config.Log.Warn("change of the subpolicy refused", "nonce", nonce, "offered_version", c.GetVersion(), "error", err)
	if s.config.Misfit != nil {
		s.config.Misfit(delta.Reason(err))
	}
	s.say(ctx, &proto.AcknowledgeRequest{
		Host: s.config.Host, Nonce: nonce, Version: h.Running(), Error: "change refused: " + err.Error(), Whole: true,
	})
}

func (s *stream) revoked(list *proto.Revocations) {
	if s.config.Revoked == nil {
		return
	}
	epochs := make(map[string]uint32, len(list.GetHosts()))
	for _, r := range list.GetHosts() {
		epochs[r.GetName()] = r.GetEpoch()
	}
	s.config.Revoked(epochs)
}

// ended says why a subscription is over: ctx knows better than the transport.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err == nil {
		return errEnded
	}
	return fmt.Errorf("subscribe: %w", err)
}

func (s *stream) answer(ctx context.Context, h Handler, nonce uint64, query *proto.Query) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer := h.Answer(ctx, query)
	answer.Host, answer.Nonce = s.config.Host, nonce
	// policyd misses an answer that does not come, and says so to whom
	// asked; the subscription is none the worse for it.
	if _, err := s.client.Answer(ctx, answer); err != nil {
		s.config.Log.Debug("answer not delivered", "nonce", nonce, "error", err)
	}
}

func (s *stream) acknowledge(ctx context.Context, a subpolicy.Acknowledge) {
	s.say(ctx, &proto.AcknowledgeRequest{
		Host: s.config.Host, Nonce: a.Ref.Nonce, Version: a.Version, Error: a.Err,
	})
}

// say has an acknowledgement sent after those before.
func (s *stream) say(ctx context.Context, request *proto.AcknowledgeRequest) {
	select {
	case s.acks <- request:
	case <-s.done:
	case <-ctx.Done():
	}
}

// sendAcks delivers acknowledgements in the order given, until ctx is done.
func (s *stream) sendAcks(ctx context.Context) error {
	defer close(s.done)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case request := <-s.acks:
			if err := s.sendAck(ctx, request); err != nil {
				return fmt.Errorf("acknowledge: %w", err)
			}
		}
	}
}

func (s *stream) sendAck(ctx context.Context, request *proto.AcknowledgeRequest) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.Acknowledge(ctx, request)
	return err
}
