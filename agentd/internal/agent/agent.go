// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/subpolicy"
	"mbchain/proto"
)

// A Kernel is the module of this network namespace; see package kernel.
type Kernel interface {
	Info(ctx context.Context) (kernel.Info, error)
	SetNF(ctx context.Context, nf kernel.NF) error
	SetGateway(ctx context.Context, gateway bool) error
	SetKeys(ctx context.Context, keys []*proto.SetupKey) error
	LoadPolicy(ctx context.Context, sub *proto.Subpolicy) error
	Sessions(ctx context.Context, prefix []byte, limit int) ([]*proto.Session, bool, error)
	Counters(ctx context.Context) ([]*proto.Counter, error)
	Peers(ctx context.Context) ([]*proto.Peer, error)
	Watch(ctx context.Context, handle func(kernel.Event)) error
}

// A Disk keeps the last good subpolicy; see package state.
type Disk interface {
	Load() (*proto.Subpolicy, error)
	Save(sub *proto.Subpolicy) error
}

// Policyd is who the agent follows; see package push.
type Policyd interface {
	Connected() bool
	Address() string // of the one it follows, or tries to
	Acknowledge(ctx context.Context, a subpolicy.Acknowledge)
	Resubscribe()
	Ahead() (ahead time.Duration, known bool) // of policyd's clock
	Ask(ctx context.Context, r *proto.AskRequest) (*proto.AskResponse, error)
	// Report tells how much the host has to do, and returns when the next one is wanted.
	Report(ctx context.Context, r *proto.LoadReport) (time.Duration, error)
}

// A Mover changes the chains of live sessions; see package mover.
type Mover interface {
	Start(job uint64, plans []*lock.Plan) error
	List(r *proto.ListMigrationsRequest) ([]*proto.Migration, *proto.MigrationCounts)
	Abort(job uint64, id lock.ID) (aborted, late int)
}

// An Examiner examines the host; see package examine.
type Examiner interface {
	Examine(ctx context.Context, x *proto.Examination, neighbours []netip.Addr) error
}

// Config says what an [Agent] is.
type Config struct {
	Host          string // its name
	NFTypes       []string
	AgentVersion  string
	KernelRelease string
	// Addresses returns those that subsessions may use, at this moment.
	Addresses func() ([]netip.Addr, error)
	OutOfBand bool // it can set sessions up out-of-band
	NF        kernel.NF
	Gateway   bool         // it stands in for clients without an agent
	Mover     func() Mover // nil, or returns nil: it cannot do that
	Sockets   Sockets      // nil: it ends no connections
	Examiner  Examiner     // nil: nobody can examine it
	Meter     Meter        // nil: it reports nothing
	Probe     Probe        // nil: none
	TooBusy   uint32       // load of the processors that is too much, of 1000; 0: none is
	Log       *slog.Logger
}

// An Agent is the agent of one host.
type Agent struct {
	config  Config
	kernel  Kernel
	disk    Disk
	policyd Policyd
	log     *slog.Logger
	began   time.Time

	offers chan subpolicy.Event // to the machine
	prompt chan struct{}        // probe now
	// reportDue: report now.
	reportDue chan struct{}

	mu         sync.Mutex
	status     subpolicy.Status // the machine's, for others to read
	good       *proto.Subpolicy // the machine's last good one; nil: none
	registered []netip.Addr     // what policyd was told
	looked     bool             // at the module, once at least
	seen       *kernel.Info     // what the module said at the last probe; nil: nothing
	nfErr      error            // why the NF is not as configured; nil: it is
	nfPast     bool             // packets would go past the NF
	replaced   chan struct{}    // closed when the module is gone or another one
}

// New returns an agent that has done nothing yet.
func New(config Config, k Kernel, d Disk, p Policyd) *Agent {
	return &Agent{
		config: config, kernel: k, disk: d, policyd: p,
		log:       config.Log,
		began:     time.Now(),
		offers:    make(chan subpolicy.Event),
		prompt:    make(chan struct{}, 1),
		reportDue: make(chan struct{}, 1),
		replaced:  make(chan struct{}),
	}
}

// Name returns the host's name.
func (a *Agent) Name() string { return a.config.Host }

// Run works until ctx is done. It leaves the module as it is.
func (a *Agent) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { a.follow(ctx); return nil })
	group.Go(func() error { a.watch(ctx); return nil })
	group.Go(func() error { a.report(ctx); return nil })
	return group.Wait()
}
