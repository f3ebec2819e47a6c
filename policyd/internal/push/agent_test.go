// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
	"mbchain/proto/delta"
)

// domain is a hub over a state machine without Raft.
type domain struct {
	t   *testing.T
	hub *Hub

	mu    sync.Mutex
	fsm   *store.FSM
	index uint64
}

func newTestDomain(t *testing.T) *domain {
	d := &domain{t: t, fsm: store.NewFSM()}
	d.hub = NewHub(d, slog.New(slog.NewTextHandler(t.Output(), nil)))
	secret := make([]byte, store.SecretLen)
	d.apply(store.Command{SetUp: &store.SetUp{Seed: secret, Keys: []store.SetupKey{{ID: 1, Secret: secret}}}})
	return d
}

// Apply implements Proposer.
func (d *domain) Apply(_ context.Context, cmd store.Command) (store.Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, err := store.EncodeCommand(cmd)
	if err != nil {
		return store.Result{}, err
	}
	d.index++
	r := d.fsm.Apply(&raft.Log{Index: d.index, Data: b}).(store.Result)
	return r, r.Err
}

func (d *domain) apply(cmd store.Command) *store.State {
	d.t.Helper()
	r, err := d.Apply(d.t.Context(), cmd)
	if err != nil {
		d.t.Fatal(err)
	}
	d.hub.Update(r.State)
	return r.State
}

func (d *domain) policy(source string) *store.State {
	d.t.Helper()
	return d.apply(store.Command{SetPolicy: &store.SetPolicy{Source: source}})
}

// agent is one stream of a host, whose pushes queue up until they are read.
type agent struct {
	t     *testing.T
	d     *domain
	name  string
	gone  context.CancelFunc
	stall chan struct{} // nil: takes every push at once
	ended chan error

	mu     sync.Mutex
	pushes []*proto.Push
}

func registration(name string, addresses ...string) Registration {
	r := Registration{Host: store.Host{Name: name}}
	for _, a := range addresses {
		r.Host.Addresses = append(r.Host.Addresses, netip.MustParseAddr(a))
	}
	return r
}

// connect opens a stream and waits until nothing moves any more.
func (d *domain) connect(r Registration) *agent {
	a := d.open(r, nil)
	synctest.Wait()
	return a
}

func (d *domain) open(r Registration, stall chan struct{}) *agent {
	ctx, cancel := context.WithCancel(d.t.Context())
	a := &agent{t: d.t, d: d, name: r.Host.Name, gone: cancel, stall: stall, ended: make(chan error, 1)}
	go func() { a.ended <- d.hub.Subscribe(ctx, r, a.receive) }()
	return a
}

func (a *agent) receive(p *proto.Push) error {
	if a.stall != nil {
		<-a.stall
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pushes = append(a.pushes, p)
	return nil
}

// take returns what came since the last call.
func (a *agent) take() []*proto.Push {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.pushes
	a.pushes = nil
	return p
}

// subpolicy returns the only push that came, which is a subpolicy.
func (a *agent) subpolicy() (nonce uint64, s *proto.Subpolicy) {
	a.t.Helper()
	p := a.take()
	if len(p) != 1 || p[0].GetSubpolicy() == nil || p[0].Nonce == 0 {
		a.t.Fatalf("pushes to %s: %v, want one subpolicy", a.name, p)
	}
	return p[0].Nonce, p[0].GetSubpolicy()
}

// question returns the only push that came, which is a query.
func (a *agent) question() (nonce uint64) {
	a.t.Helper()
	p := a.take()
	if len(p) != 1 || p[0].GetQuery() == nil {
		a.t.Fatalf("pushes to %s: %v, want one query", a.name, p)
	}
	return p[0].Nonce
}

func (a *agent) acknowledge(nonce, version uint64, refusal string) {
	a.t.Helper()
	if err := a.d.hub.Acknowledge(a.name, nonce, version, refusal, false); err != nil {
		a.t.Fatal(err)
	}
}

// misfit says that a change could not be made.
func (a *agent) misfit(nonce, version uint64) {
	a.t.Helper()
	if err := a.d.hub.Acknowledge(a.name, nonce, version, "change refused", true); err != nil {
		a.t.Fatal(err)
	}
}

// next returns the only push that came, what comes of it, and whether that was sent
// as a change.
func (a *agent) next(has *delta.Whole) (nonce uint64, now *delta.Whole, change bool) {
	a.t.Helper()
	p := a.take()
	if len(p) != 1 {
		a.t.Fatalf("pushes to %s: %v, want one", a.name, p)
	}
	if s := p[0].GetSubpolicy(); s != nil {
		return p[0].Nonce, delta.New(s, nil), false
	}
	now, err := has.Apply(p[0].GetChange())
	if err != nil {
		a.t.Fatalf("push to %s: %v: %v", a.name, p[0], err)
	}
	return p[0].Nonce, now, true
}

// leave ends the stream and returns how it ended.
func (a *agent) leave() error {
	a.gone()
	return <-a.ended
}
