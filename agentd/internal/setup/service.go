// SPDX-License-Identifier: Apache-2.0

package setup

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/session"
	"mbchain/chain"
)

const (
	// maxOwn is how many sessions of this host may be set up at once, and
	// maxAsked how many that others ask for: some kilobytes each. Beyond,
	// they are refused at once.
	maxOwn   = 4096
	maxAsked = 4096
	// watchInterval is the pause before what is wanted is followed again: no
	// longer than a module that was loaded anew goes unnoticed.
	watchInterval = time.Second
	// synTime is how long a neighbour that opened a stream may take to send
	// its SYN.
	synTime = 2 * time.Second
	// moduleTime is how long the module may take to undo something once the
	// agent is to stop.
	moduleTime = 2 * time.Second
)

// A Module is the module of this network namespace; see package kernel.
type Module interface {
	WatchSetup(ctx context.Context, handle func(kernel.SetupEvent)) error
	Waiting(ctx context.Context) ([]session.Part, error)
	Waits(ctx context.Context, id chain.SessionID) (bool, error)
	Install(ctx context.Context, syn session.Syn) (session.Part, error)
	Release(ctx context.Context, id chain.SessionID, known bool) error
	Fail(ctx context.Context, id chain.SessionID, why session.Why) error
	Delete(ctx context.Context, id chain.SessionID, always bool) error
}

// A Stream carries one set-up to or from a neighbour; see package peer.
type Stream interface {
	Addresses() []netip.Addr // that the neighbour may speak for
	Send(m session.Message) error
	Receive() (session.Message, error)
	Deadline(t time.Time) // of Receive
	End()
	Reset()
	Lost(err error) bool // with its connection: on a new one it may succeed
}

// Config says what a [Service] is.
type Config struct {
	Host string // its name
	// Addresses returns those of this host that subsessions may use.
	Addresses func() ([]netip.Addr, error)
	// Open opens a stream to a host.
	Open func(ctx context.Context, host netip.Addr) (Stream, error)
	// Replaced returns a channel that is closed once the module that is
	// there now is gone, or another one.
	Replaced func() <-chan struct{}
	// Closed reports whether no new session may pass this host now; nil:
	// they always may.
	Closed   func() bool
	Observer Observer // nil: nobody wants to know
	Log      *slog.Logger
}

// A Service sets up the sessions of one host.
type Service struct {
	config Config
	module Module
	log    *slog.Logger

	wg    sync.WaitGroup
	own   atomic.Int64
	asked atomic.Int64

	complaints complaints

	mu       sync.Mutex
	underWay map[chain.SessionID]*attempt
}

// attempt is a set-up that is under way.
type attempt struct {
	own  bool // this host's module wanted it
	over chan struct{}
}

// New returns a service that has done nothing yet.
func New(config Config, m Module) *Service {
	return &Service{
		config: config, module: m, log: config.Log,
		underWay:   make(map[chain.SessionID]*attempt),
		complaints: complaints{said: make(map[session.Reject]time.Time)},
	}
}

// Run follows what the module wants until ctx is done, of one module after the
// other, and waits for the set-ups that are under way. Those are given up.
func (s *Service) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.watch(ctx)
		if err != nil && ctx.Err() == nil && !errors.Is(err, kernel.ErrAbsent) {
			s.log.Warn("requests for set-up not followed", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchInterval):
		}
	}
	s.wg.Wait()
}

// watch follows what the module that is there now wants, until it is replaced.
func (s *Service) watch(ctx context.Context) error {
	replaced := s.config.Replaced()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	s.wg.Go(func() {
		select {
		case <-replaced:
			cancel()
		case <-watching.Done():
		}
	})
	err := s.module.WatchSetup(watching, func(e kernel.SetupEvent) { s.take(ctx, e) })
	if watching.Err() != nil {
		return nil
	}
	return err
}

// take begins what the module wants.
func (s *Service) take(ctx context.Context, e kernel.SetupEvent) {
	if e.Wanted != nil {
		s.begin(ctx, *e.Wanted)
		return
	}
	waiting, err := s.module.Waiting(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("waiting sessions not learned", "error", err)
		}
		return
	}
	for _, part := range waiting {
		s.begin(ctx, part)
	}
}

// begin sets up a session that waits in the module.
func (s *Service) begin(ctx context.Context, part session.Part) {
	if len(part.Hops) == 0 {
		return // the last host has nobody to ask
	}
	a := &attempt{own: true, over: make(chan struct{})}
	if !s.enter(part.ID, a) {
		return // said twice, or a neighbour asks for it
	}
	if s.own.Add(1) > maxOwn {
		s.own.Add(-1)
		s.leave(part.ID, a)
		s.log.Debug("set-up refused", "session", part.ID, "reason", reasonBusy)
		s.over(true, false, 0)
		s.fail(ctx, part.ID)
		return
	}
	s.wg.Go(func() {
		defer s.own.Add(-1)
		defer s.leave(part.ID, a)
		// The wish may be an old one.
		waits, err := s.module.Waits(ctx, part.ID)
		if err != nil || !waits {
			return
		}
		r := newRun(s, part.ID, nil)
		m, first := session.Originate(s.config.Host, part, time.Now())
		r.play(ctx, m, first)
	})
}

func (s *Service) fail(ctx context.Context, id chain.SessionID) {
	if err := s.module.Fail(ctx, id, session.NoAnswer); err != nil && ctx.Err() == nil {
		s.log.Warn("module not told", "session", id, "error", err)
	}
}

// enter notes that a set-up of a session is under way, unless one is.
func (s *Service) enter(id chain.SessionID, a *attempt) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.underWay[id] != nil {
		return false
	}
	s.underWay[id] = a
	return true
}

func (s *Service) leave(id chain.SessionID, a *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.underWay, id)
	close(a.over)
}

// current returns the set-up of a session that is under way, nil if none is.
func (s *Service) current(id chain.SessionID) *attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.underWay[id]
}
