// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"connectrpc.com/connect"
	"github.com/hashicorp/raft"

	"mbchain/identity"
	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// memory is a Cluster without Raft.
type memory struct {
	mu    sync.Mutex
	fsm   *store.FSM
	index uint64
	err   error // of every Apply and State

	leader  *cluster.Leader // nil: this node
	changed chan struct{}   // closed when another leads
	members []cluster.Member
	removed []string
}

func (m *memory) Apply(_ context.Context, cmd store.Command) (store.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return store.Result{}, m.err
	}
	b, err := store.EncodeCommand(cmd)
	if err != nil {
		return store.Result{}, err
	}
	m.index++
	r := m.fsm.Apply(&raft.Log{Index: m.index, Data: b}).(store.Result)
	return r, r.Err
}

func (m *memory) State() (*store.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	return m.fsm.State()
}

func (m *memory) Status() cluster.Status {
	s := cluster.Status{ID: "p1", Address: "p1:7400", RaftAddress: "10.0.0.1:7401", State: "leader", AppliedIndex: 7, LastIndex: 7}
	if m.leader != nil {
		s.ID, s.State, s.Leader = "p2", "follower", m.leader.Name
	}
	return s
}

func (m *memory) Copy() (*store.State, error)    { return m.fsm.State() }
func (m *memory) Confirm() (*store.State, error) { return m.State() }

func (m *memory) Leader() (cluster.Leader, <-chan struct{}) {
	if m.leader != nil {
		return *m.leader, m.changed
	}
	return cluster.Leader{Name: "p1", Here: true}, m.changed
}

func (m *memory) Members() ([]cluster.Member, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.members == nil {
		return []cluster.Member{{Name: "p1", RaftAddress: "10.0.0.1:7401", Voter: true}}, 1, nil
	}
	return slices.Clone(m.members), 1, nil
}

func (m *memory) Add(name, raftAddress string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.members = append(m.members, cluster.Member{Name: name, RaftAddress: raftAddress})
	return nil
}

func (m *memory) Promote(string) error { return nil }

func (m *memory) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.removed = append(m.removed, name)
	return nil
}

func (m *memory) Transfer(string) error { return nil }

// pipes is a listener and a dialer in memory. Its connections hold nothing
// back: a write waits until somebody reads.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{accept: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.accept <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// network is other nodes by address.
type network map[string]*pipes

func (n network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	p, known := n[address]
	if !known {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	return p.dial(ctx, network, address)
}

// bench is a server over memory and pipes, and its clients.
type bench struct {
	t       *testing.T
	cluster *memory
	hub     *push.Hub
	pipes   *pipes
	network network
	http    *http.Client
	policy  protoconnect.PolicyServiceClient
	domain  protoconnect.DomainServiceClient
	agents  protoconnect.AgentServiceClient
	moves   protoconnect.MigrationServiceClient

	nodes protoconnect.ClusterServiceClient // the node's ClusterService
	begun begun
	stop  func()
}

// newBench starts a server. It is called inside a synctest bubble.
func newBench(t *testing.T, opts ...connect.ClientOption) *bench {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	b := &bench{t: t, cluster: &memory{fsm: store.NewFSM()}, pipes: newPipes(), network: network{}}
	b.hub = push.NewHub(b.cluster, logger)
	secret := make([]byte, store.SecretLen)
	r, err := b.cluster.Apply(t.Context(), store.Command{SetUp: &store.SetUp{
		Seed: secret, Keys: []store.SetupKey{{ID: 1, Secret: secret}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.hub.Update(r.State)

	s := NewServer(Config{
		Cluster: b.cluster, Hub: b.hub, Version: "test", Logger: logger, Begun: b.begun.note, Dial: b.network.dial,
	})
	s.caller = everybody
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, nil, b.pipes) }()

	transport := &http.Transport{DialContext: b.pipes.dial, Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	b.connect(transport, opts...)
	b.stop = sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

// everybody is a caller who may do what the request is about: these tests are not
// about who may.
func everybody(r *http.Request) (*caller, error) {
	c := &caller{from: "test", anyHost: true}
	if access, _ := identity.AccessTo(r.URL.Path); len(access.Roles) > 0 {
		c.Role = access.Roles[0]
	}
	return c, nil
}

// connect makes the bench's clients use transport.
func (b *bench) connect(transport *http.Transport, opts ...connect.ClientOption) {
	const url = "http://policyd"
	b.http = &http.Client{Transport: transport}
	b.policy = protoconnect.NewPolicyServiceClient(b.http, url, opts...)
	b.domain = protoconnect.NewDomainServiceClient(b.http, url, opts...)
	b.nodes = protoconnect.NewClusterServiceClient(b.http, url, opts...)
	b.moves = protoconnect.NewMigrationServiceClient(b.http, url, opts...)
	b.agents = protoconnect.NewAgentServiceClient(b.http, url, opts...)
}

func (b *bench) apply(source string) *proto.ApplyResponse {
	b.t.Helper()
	r, err := b.policy.Apply(b.t.Context(), &proto.ApplyRequest{Source: source})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// agent is a host as policyd sees it.
type agent struct {
	b      *bench
	name   string
	stream *connect.ServerStreamForClient[proto.Push]
	leave  context.CancelFunc
}

func (b *bench) subscribe(name string, addresses ...string) *agent {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	stream, err := b.agents.Subscribe(ctx, &proto.SubscribeRequest{Host: name, Addresses: addresses})
	if err != nil {
		b.t.Fatal(err)
	}
	a := &agent{b: b, name: name, stream: stream, leave: cancel}
	b.t.Cleanup(func() {
		cancel()
		_ = a.stream.Close()
	})
	return a
}

// next returns the next push, keep-alives left out; nil: the stream is over.
func (a *agent) next() *proto.Push {
	for a.stream.Receive() {
		if p := a.stream.Msg(); p.GetKeepAlive() == nil {
			return p
		}
	}
	return nil
}

// subpolicy receives a subpolicy of this version.
func (a *agent) subpolicy(version uint64) *proto.Push {
	a.b.t.Helper()
	p := a.next()
	if p.GetSubpolicy() == nil || p.GetSubpolicy().Version != version {
		a.b.t.Fatalf("push to %s: %v, error %v, want subpolicy version %d", a.name, p, a.stream.Err(), version)
	}
	return p
}

func (a *agent) acknowledge(p *proto.Push, version uint64, refusal string) {
	a.b.t.Helper()
	_, err := a.b.agents.Acknowledge(a.b.t.Context(), &proto.AcknowledgeRequest{
		Host: a.name, Nonce: p.Nonce, Version: version, Error: refusal,
	})
	if err != nil {
		a.b.t.Fatal(err)
	}
}

// wantCode checks the code of an error.
func wantCode(t *testing.T, err error, code connect.Code) {
	t.Helper()
	if err == nil || connect.CodeOf(err) != code {
		t.Errorf("error %v, want code %v", err, code)
	}
}

// inBubble runs f with virtual time.
func inBubble(t *testing.T, f func(*testing.T, *bench), opts ...connect.ClientOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newBench(t, opts...)) })
}
