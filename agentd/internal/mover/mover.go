// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/agentd/internal/peer"
	"mbchain/chain"
)

const (
	// watchInterval is the pause before a module is followed again.
	watchInterval = time.Second
	// moduleTime is how long one order to the module may take.
	moduleTime = 2 * time.Second
	// reconcileInterval is how often records are looked for that nobody knows of.
	reconcileInterval = 10 * time.Second
	// readyTime is how long a message waits for the records to be read that it may be
	// about.
	readyTime = 2 * time.Second
)

// A Module is the module of this network namespace; see package kernel.
type Module interface {
	WatchMigrations(ctx context.Context, handle func(kernel.MigrationEvent)) error
	MigrationRecords(ctx context.Context) ([]kernel.MigrationRecord, error)
	LiveSession(ctx context.Context, id chain.SessionID) (kernel.LiveSession, error)
	LockSession(ctx context.Context, id chain.SessionID, migration lock.ID, role lock.Role, plan []byte, wait time.Duration) error
	OpenRight(ctx context.Context, id chain.SessionID, migration lock.ID, hops []netip.Addr) (chain.FiveTuple, error)
	OpenLeft(ctx context.Context, id chain.SessionID, migration lock.ID, wire chain.FiveTuple) error
	JoinLive(ctx context.Context, j kernel.LiveJoin) (chain.FiveTuple, error)
	Pause(ctx context.Context, id chain.SessionID, migration lock.ID, p kernel.Pause) error
	Mark(ctx context.Context, id chain.SessionID, migration lock.ID) error
	SwitchPath(ctx context.Context, id chain.SessionID, migration lock.ID, path lock.Path) error
	EndMigration(ctx context.Context, id chain.SessionID, migration lock.ID, gone bool) error
	SetHops(ctx context.Context, id chain.SessionID, hops []netip.Addr) error
}

// A StateMover takes an NF's state of one session and gives it to another one.
type StateMover interface {
	// Export returns a copy; the NF goes on with its own.
	Export(ctx context.Context, method lock.Method, super chain.FiveTuple) ([]byte, error)
	// Import gives it to the NF here. Twice is once.
	Import(ctx context.Context, method lock.Method, super chain.FiveTuple, state []byte) error
	// Drop has the NF forget what was exported or imported.
	Drop(ctx context.Context, method lock.Method, super chain.FiveTuple) error
}

// Config says what a [Mover] is.
type Config struct {
	// Addresses returns those of this host that subsessions may use.
	Addresses func() ([]netip.Addr, error)
	// Tell sends one message. An error means that it may not have come.
	Tell func(ctx context.Context, host netip.Addr, id lock.ID, m migrate.Message) error
	// Reach opens a connection to a host that will be told something soon.
	Reach func(ctx context.Context, host netip.Addr) error
	// Replaced returns a channel that is closed once the module that is there now is
	// gone, or another one.
	Replaced func() <-chan struct{}
	State    StateMover
	Observer Observer // nil: nobody wants to know
	Log      *slog.Logger
}

// A Mover is a host's part in the migrations of sessions.
type Mover struct {
	config Config
	module Module
	log    *slog.Logger

	wg    sync.WaitGroup
	ready chan struct{} // closed when the module's records were read
	wake  chan struct{} // the next deadline may be sooner
	sends sender

	mu      sync.Mutex
	ctx     context.Context // of Run
	stopped bool
	host    *migrate.Host
	lanes   map[chain.SessionID]*lane
	history history
	queue   []*entry // wanted and not begun
	running int      // begun and not over
	pace    pace
	beyond  map[lock.ID]bool       // an NF is at work for it
	routes  map[netip.Addr][]route // that went lately
}

// New returns a mover that has done nothing yet.
func New(config Config, m Module) *Mover {
	return &Mover{
		config: config, module: m, log: config.Log,
		ready: make(chan struct{}), wake: make(chan struct{}, 1),
		sends: sender{underWay: make(map[netip.Addr]int)},
		host:  migrate.NewHost(), lanes: make(map[chain.SessionID]*lane),
		history: history{byID: make(map[lock.ID]*entry)}, beyond: make(map[lock.ID]bool),
		routes: make(map[netip.Addr][]route),
	}
}

// Run works until ctx is done. What is under way then goes on where another agent
// finds it in the module.
func (m *Mover) Run(ctx context.Context) {
	m.mu.Lock()
	m.ctx = ctx
	m.mu.Unlock()
	m.wg.Go(func() { m.keepTime(ctx) })
	m.wg.Go(func() { m.reconcile(ctx) })
	for ctx.Err() == nil {
		err := m.watch(ctx)
		if err != nil && ctx.Err() == nil && !errors.Is(err, kernel.ErrAbsent) {
			m.log.Warn("migrations not followed", "error", err)
		}
		if errors.Is(err, kernel.ErrAbsent) {
			m.open() // there is nothing to read
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchInterval):
		}
	}
	m.mu.Lock()
	m.stopped = true
	m.mu.Unlock()
	m.wg.Wait()
}

// open lets messages in.
func (m *Mover) open() {
	select {
	case <-m.ready:
	default:
		close(m.ready)
	}
}

// watch follows the module that is there now, until it is replaced.
func (m *Mover) watch(ctx context.Context) error {
	replaced := m.config.Replaced()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	m.wg.Go(func() {
		select {
		case <-replaced:
			cancel()
		case <-watching.Done():
		}
	})
	err := m.module.WatchMigrations(watching, func(e kernel.MigrationEvent) {
		switch {
		case e.Resync:
			if err := m.learn(ctx); err != nil {
				m.log.Warn("migrations not learned", "error", err)
				cancel()
			}
		case !e.Over.IsZero():
			m.ended(e.Over)
		default:
			m.told(e.Record)
		}
	})
	if ctx.Err() == nil && watching.Err() != nil {
		return nil
	}
	return err
}

// learn takes what the module's records say: of each the beginning, if it is not known
// here, and all that has happened.
func (m *Mover) learn(ctx context.Context) error {
	if err := m.readAddresses(); err != nil {
		return err
	}
	records, err := m.module.MigrationRecords(ctx)
	if err != nil {
		return err
	}
	for _, r := range records {
		if !m.knows(r.ID) && !m.restore(r) {
			continue
		}
		m.told(r)
	}
	m.miss(ctx, records)
	m.open()
	return nil
}

func (m *Mover) readAddresses() error {
	here, err := m.config.Addresses()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.host.SetAddresses(here)
	return nil
}

func (m *Mover) knows(id lock.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.host.Knows(id)
}

// restore takes up a migration that an agent before this one began.
func (m *Mover) restore(r kernel.MigrationRecord) bool {
	plan, err := peer.UnmarshalPlan(r.ID, r.Plan)
	if err != nil {
		m.log.Error("record of a migration not understood", "session", r.Session, "migration", r.ID, "error", err)
		return false
	}
	m.log.Info("migration taken up again", "session", r.Session, "migration", r.ID, "role", r.Role)
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Role == lock.LeftAnchor {
		e := &entry{id: r.ID.Try(0), plan: *plan, began: time.Now(), restored: true, state: stateDraining}
		m.history.add(e)
		m.observeBegin(e)
	}
	m.dispatch(m.host.Restore(migrate.Record{
		Plan: plan, Role: r.Role, Installed: r.Installed, Wire: r.Right, Switched: r.Switched,
		Held: r.Held, AckReached: r.AckReached, Seen: r.Passed,
	}, time.Now()))
	return true
}

// miss ends what the module has no record of any more because its session is gone.
func (m *Mover) miss(ctx context.Context, records []kernel.MigrationRecord) {
	recorded := make(map[lock.ID]bool)
	for _, r := range records {
		recorded[r.ID] = true
	}
	m.mu.Lock()
	suspects := m.host.Recorded()
	m.mu.Unlock()
	for _, s := range suspects {
		if !recorded[s.ID] {
			m.confirm(ctx, s.Session)
		}
	}
}

// reconcile looks from time to time for records that nobody here knows of, because the
// module did not answer in time when one was made or removed. Such a migration is taken
// up as after a restart, which ends with asking the left anchor.
func (m *Mover) reconcile(ctx context.Context) {
	ticker := time.NewTicker(reconcileInterval)
	defer ticker.Stop()
	suspects := make(map[lock.ID]bool) // they were there the last time
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		records, err := m.module.MigrationRecords(ctx)
		if err != nil {
			continue // watch says so
		}
		before := suspects
		suspects = make(map[lock.ID]bool)
		for _, r := range records {
			switch {
			case m.knows(r.ID):
			case before[r.ID]:
				m.restore(r)
				m.told(r)
			default:
				suspects[r.ID] = true
			}
		}
	}
}

// told hands over what a record says has happened.
func (m *Mover) told(r kernel.MigrationRecord) {
	var events []migrate.Event
	for d := range migrate.Leftward + 1 {
		if r.Passed[d] {
			events = append(events, migrate.MarkerSeen{Direction: d})
		}
	}
	if r.AckReached {
		events = append(events, migrate.AckReached{})
	}
	if r.NewPathUsed {
		events = append(events, migrate.NewPathUsed{})
	}
	if r.Overflow {
		events = append(events, migrate.Overflow{})
	}
	for _, e := range events {
		m.event(r.ID, e)
	}
}

// event tells the host of something.
func (m *Mover) event(id lock.ID, e migrate.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log.Debug("migration", "migration", id, "event", e)
	m.dispatch(m.host.Event(id, e, time.Now()))
}

func (m *Mover) over(session chain.SessionID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dispatch(m.host.Over(session, time.Now()))
}

// Lost tells that the connection to a host is lost, or cannot be had.
func (m *Mover) Lost(host netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.repeatRoutes(host)
	m.dispatch(m.host.Lost(host, time.Now()))
}

// Hear takes a message of the host whose certificate has these addresses.
func (m *Mover) Hear(from []netip.Addr, id lock.ID, msg migrate.Message) {
	select {
	case <-m.ready:
	case <-time.After(readyTime):
		return // whoever sent it does so again, or has a time limit
	}
	if len(from) == 0 {
		return
	}
	if r, ok := msg.(migrate.Route); ok {
		m.follow(from, id, r)
		return
	}
	var plan *lock.Plan
	switch msg := msg.(type) {
	case lock.Request:
		plan = msg.Plan
	case migrate.Syn:
		plan = msg.Plan
	}
	if plan != nil { // it may be for an address that is new
		if err := m.readAddresses(); err != nil {
			m.log.Warn("addresses not read", "error", err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if plan != nil && !m.host.Knows(id) {
		defer func() {
			if m.host.Knows(id) {
				m.reach(plan)
			}
		}()
	}
	m.history.count(id)
	m.log.Debug("migration", "migration", id, "peer", from[0], "message", msg)
	orders, err := m.host.Receive(from, id, msg, time.Now())
	if err != nil {
		m.log.Warn("message of a migration refused", "migration", id, "peer", from, "error", err)
		return
	}
	m.dispatch(orders)
}

// keepTime lets time pass for the host.
func (m *Mover) keepTime(ctx context.Context) {
	for {
		m.mu.Lock()
		deadline := m.host.Deadline()
		m.mu.Unlock()
		wait := time.Hour
		if !deadline.IsZero() {
			wait = time.Until(deadline)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			m.mu.Lock()
			m.dispatch(m.host.Tick(time.Now()))
			m.mu.Unlock()
		case <-m.wake:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// rearm has keepTime look at the deadline again; mu held.
func (m *Mover) rearm() {
	select {
	case m.wake <- struct{}{}:
	default: // it will
	}
}
