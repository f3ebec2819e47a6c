// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/policyd/internal/store"
)

// tellEvery is how often a refusal for one reason is logged as a warning: who can
// reach the port must not fill the disk.
const tellEvery = time.Second

// guard knows the requests that are under way, and what was refused.
type guard struct {
	mu      sync.Mutex
	state   *store.State // nil: not known yet
	visits  map[*visit]struct{}
	refused map[string]uint64    // by reason
	told    map[string]time.Time // of what, when last
}

// visit is a request under way.
type visit struct {
	who *caller
	cut context.CancelCauseFunc
}

func newGuard() *guard {
	return &guard{visits: map[*visit]struct{}{}, refused: map[string]uint64{}, told: map[string]time.Time{}}
}

// update takes a newer state: whoever was revoked in it is cut off at once.
func (g *guard) update(state *store.State) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != nil && state.Index < g.state.Index {
		return
	}
	g.state = state
	for v := range g.visits {
		if err := g.valid(v.who); err != nil {
			v.cut(err)
		}
	}
}

// older says whether what g knows is older than a state.
func (g *guard) older(state *store.State) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state == nil || g.state.Index < state.Index
}

// valid says whether a certificate was revoked. g.mu is held.
func (g *guard) valid(who *caller) error {
	if g.state == nil || who.anyHost {
		return nil
	}
	if who.via.Role != 0 {
		if err := g.state.Valid(who.via); err != nil {
			return err
		}
	}
	if who.local {
		return nil
	}
	return g.state.Valid(who.Subject)
}

// enter begins a visit, unless the certificate was revoked.
func (g *guard) enter(ctx context.Context, who *caller) (context.Context, func(), error) {
	ctx, cut := context.WithCancelCause(ctx)
	v := &visit{who: who, cut: cut}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.valid(who); err != nil {
		cut(nil)
		return nil, nil, err
	}
	g.visits[v] = struct{}{}
	stop := func() bool { return true }
	if !who.expires.IsZero() {
		stop = time.AfterFunc(time.Until(who.expires), func() { cut(identity.ErrExpired) }).Stop
	}
	return ctx, func() {
		stop()
		cut(nil)
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.visits, v)
	}, nil
}

// count counts a refusal, and says whether it is time to tell of it.
func (g *guard) count(reason string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused[reason]++
	return g.tell(reason)
}

// seldom says whether it is time to tell of something again.
func (g *guard) seldom(what string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tell(what)
}

// tell is seldom; g.mu is held.
func (g *guard) tell(what string) bool {
	now := time.Now()
	if now.Sub(g.told[what]) < tellEvery {
		return false
	}
	g.told[what] = now
	return true
}

// counts returns what was refused, by reason.
func (g *guard) counts() map[string]uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.refused)
}

// turnAway counts and logs a call that is not answered.
func (s *Server) turnAway(ctx context.Context, who *caller, procedure string, err error) {
	reason, level := identity.Reason(err), slog.LevelDebug
	if errors.Is(err, store.ErrToken) {
		reason = "token"
	}
	if s.guard.count(reason) {
		level = slog.LevelWarn
	}
	log := s.Logger.With("peer", who.from, "who", who.String(), "procedure", procedure, "reason", reason)
	log.Log(ctx, level, "call refused", "error", err)
}

// guarded lets through what the table of package identity allows.
func (s *Server) guarded(next http.Handler) http.Handler {
	writer := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		procedure := r.URL.Path
		access, known := identity.AccessTo(procedure)
		if !known || access.Local {
			http.NotFound(w, r)
			return
		}
		s.lookAtCopy()
		who, err := s.caller(r)
		code := connect.CodeUnauthenticated
		ctx, leave := r.Context(), func() {}
		if err == nil {
			ctx, leave, err = s.guard.enter(ctx, who)
		}
		if err == nil {
			if err = access.Check(who.Subject, procedure); err != nil {
				leave()
				code = connect.CodePermissionDenied
			}
		}
		if access.Anyone && err != nil {
			// Whatever it showed: the procedure judges by itself.
			err, who = nil, &caller{from: who.from}
			ctx, leave = r.Context(), func() {}
		}
		if err != nil {
			s.turnAway(r.Context(), who, procedure, err)
			if access.Change {
				s.audit(r.Context(), who, procedure, nil, connect.NewError(code, err))
			}
			w.Header().Set("Connection", "close")
			_ = writer.Write(w, r, connect.NewError(code, err)) // nobody is left to tell
			return
		}
		defer leave()
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, callerKey{}, who)))
	})
}

// Update brings the server a state, newer than those before.
func (s *Server) Update(state *store.State) {
	s.learn(state)
	s.Hub.Update(state)
}

// Lead implements [cluster.Office].
func (s *Server) Lead(state *store.State) {
	s.learn(state)
	s.Hub.Lead(state)
}

// Follow implements [cluster.Office].
func (s *Server) Follow() { s.Hub.Follow() }

// learn takes from a state who is who.
func (s *Server) learn(state *store.State) {
	if s.Self != nil {
		me, _ := state.Member(identity.Policyd.String(), s.Self.Name())
		if err := s.Self.Use(state.CA, me.Epoch); err != nil {
			s.Logger.Error("CA not usable", "error", err)
		}
	}
	s.guard.update(state)
}

// copyEvery is how often a node that nobody calls looks for who is who by now.
const copyEvery = time.Second

// watchCopy learns from this node's own copy of the state, until ctx ends: whether
// it leads or not, it refuses whoever was revoked, and has a certificate.
func (s *Server) watchCopy(ctx context.Context) { every(ctx, copyEvery, s.lookAtCopy) }

func (s *Server) lookAtCopy() {
	if state, err := s.Cluster.Copy(); err == nil && s.guard.older(state) {
		s.learn(state)
	}
}
