// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"fmt"
	"time"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

const (
	// KeepAliveEvery is how often a stream carries something. An agent that
	// has received nothing for three times as long takes it for dead.
	KeepAliveEvery = 5 * time.Second
	// settleFor is how long changes of hosts are gathered before the subpolicies
	// go out again: hosts come up in crowds, and each of them changes the
	// subpolicy of all.
	settleFor = 200 * time.Millisecond
)

// stream is the connection of one agent.
type stream struct {
	host store.Host // as it registered
	send func(*proto.Push) error
	end  context.CancelCauseFunc

	policyChanged signal // send the subpolicy
	hostsChanged  signal // send it of [Hub.settled]
	choiceChanged signal // send the subpolicy if it has become another one
	questions     chan *question
	// revokedChanged: send which certificates are revoked.
	revokedChanged signal
	toldRevoked    bool // of the serving goroutine

	pending map[uint64]*question // by nonce; guarded by Hub.mu
	refused bool                 // send the whole; guarded by Hub.mu

	has has // of the serving goroutine
}

// signal is a mark that is set or not, for one goroutine that waits for it.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// Subscribe serves the stream of one host: it registers the host and calls
// send, from this goroutine, for each push, until ctx ends, send fails, or the
// hub ends the stream. It always returns an error, the reason for the end.
func (h *Hub) Subscribe(ctx context.Context, r Registration, send func(*proto.Push) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	s := &stream{
		host:          r.Host,
		send:          send,
		end:           end,
		policyChanged: newSignal(),
		hostsChanged:  newSignal(),
		choiceChanged: newSignal(),
		questions:     make(chan *question, maxQuestions),

		revokedChanged: newSignal(),
		pending:        map[uint64]*question{},
		has:            has{takesChanges: r.TakesChanges, said: r.Held, running: r.Running},
	}
	if err := h.register(ctx, r, s); err != nil {
		return err
	}
	err := h.serve(ctx, s)
	if h.detach(s, err) {
		h.logger.Info("host disconnected", "host", r.Host.Name, "error", err)
	}
	return err
}

func (h *Hub) serve(ctx context.Context, s *stream) error {
	keepAlive := time.NewTicker(KeepAliveEvery)
	defer keepAlive.Stop()
	s.policyChanged.set() // the first push is always a subpolicy
	first := true
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.policyChanged:
			var d *Domain
			if d, err = h.Domain(); err == nil {
				err = h.sendSubpolicy(s, d)
			}
			if first { // and then
				first = false
				s.revokedChanged.set()
			}
		case <-s.hostsChanged:
			if d := h.settledDomain(); !first && s.has.index < d.State.Index {
				err = h.sendSubpolicy(s, d)
			}
		case <-s.choiceChanged:
			if d := h.otherChoice(s); d != nil {
				err = h.sendSubpolicy(s, d)
			}
		case <-s.revokedChanged:
			if !first {
				err = h.sendRevocations(s)
			}
		case q := <-s.questions:
			err = h.sendQuestion(s, q)
		case <-keepAlive.C:
			err = s.push(h.nextNonce(), &proto.Push{Body: &proto.Push_KeepAlive{KeepAlive: &proto.KeepAlive{UnixMs: time.Now().UnixMilli()}}})
		}
		if err != nil {
			return err
		}
	}
}

func (s *stream) push(nonce uint64, p *proto.Push) error {
	p.Nonce = nonce
	if err := s.send(p); err != nil {
		return fmt.Errorf("send to host %s: %w", s.host.Name, err)
	}
	return nil
}

func (h *Hub) nextNonce() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nonce++
	return h.nonce
}

// Acknowledge takes what a host says about a subpolicy push. It runs version;
// an empty refusal says that this is the one that was pushed. After a refusal the
// next push is a whole; a misfit, a change that the host could not make, is followed
// by that at once. What concerns an earlier push than the newest is no error: the two
// crossed on their way.
func (h *Hub) Acknowledge(name string, nonce, version uint64, refusal string, misfit bool) error {
	newest, offered, err := h.acknowledge(name, nonce, version, refusal, misfit)
	switch {
	case err != nil:
		return err
	case !newest:
		h.observer.Acknowledged(Late)
		h.logger.Debug("late acknowledgement", "host", name, "nonce", nonce, "running_version", version)
	case refusal != "" && misfit:
		h.observer.Acknowledged(Misfit)
		h.logger.Warn("change of a subpolicy refused", "host", name, "policy_version", offered, "running_version", version, "error", refusal)
	case refusal != "":
		h.observer.Acknowledged(Refused)
		h.logger.Warn("subpolicy refused", "host", name, "policy_version", offered, "running_version", version, "error", refusal)
	default:
		h.observer.Acknowledged(Loaded)
		h.logger.Info("subpolicy loaded", "host", name, "policy_version", offered, "running_version", version)
	}
	return nil
}

func (h *Hub) acknowledge(name string, nonce, version uint64, refusal string, misfit bool) (newest bool, offered uint64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.hosts[name]
	if e == nil || e.stream == nil {
		return false, 0, fmt.Errorf("%w: %s", ErrNoStream, name)
	}
	e.lastSeen = time.Now()
	newest = e.acknowledge(nonce, version, refusal)
	if newest && refusal != "" {
		e.stream.refused = true
		if misfit && e.offered.change {
			e.stream.policyChanged.set()
		}
	}
	if e.inSync {
		h.observeReached(name, version)
	}
	return newest, e.offered.version, nil
}
