// SPDX-License-Identifier: Apache-2.0

package mover

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/proto"
)

// one runs one migration to its end and returns what is remembered of it.
func (w *world) one(p *lock.Plan) *proto.Migration {
	w.t.Helper()
	m := w.hosts[p.Left].mover
	if err := m.Start(7, []*lock.Plan{p}); err != nil {
		w.t.Fatal(err)
	}
	return w.await(m, p.ID)
}

func (w *world) await(m *Mover, id lock.ID) *proto.Migration {
	w.t.Helper()
	for range 100 {
		time.Sleep(time.Second)
		list, _ := m.List(&proto.ListMigrationsRequest{Id: uint64(id)})
		if len(list) == 1 && (list[0].State == stateDone || list[0].State == stateFailed) {
			time.Sleep(10 * time.Second) // what is left to be told
			return list[0]
		}
	}
	w.t.Fatalf("migration %v does not end", id)
	return nil
}

func TestChainsChange(t *testing.T) {
	for _, guarantee := range []lock.Guarantee{lock.LossFree, lock.Ordered, lock.Substream} {
		t.Run(guarantee.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				for k := range 7 {
					w.add(k + 1)
				}
				synctest.Wait()
				id := w.session(1, 1, 2, 9-2)
				change := func(left int, old, fresh []int, right int, want ...int) {
					t.Helper()
					p := w.plan(id, left, old, fresh, right)
					p.Guarantee = guarantee
					got := w.one(p)
					if got.State != stateDone || got.Job != 7 || got.Tries != 1 || got.Messages < 4 || got.Why != nil {
						t.Errorf("migration is %v", got)
					}
					w.wantPath(id, want...)
					w.idle()
				}
				change(2, nil, []int{3}, 7, 1, 2, 3, 7)               // insert, right of the client's neighbour
				change(1, []int{2}, []int{4}, 3, 1, 4, 3, 7)          // replace
				change(4, []int{3}, nil, 7, 1, 4, 7)                  // remove
				change(1, []int{4}, []int{5, 6, 2}, 7, 1, 5, 6, 2, 7) // one by three
				change(1, []int{5, 6, 2}, nil, 7, 1, 7)               // all
			})
		})
	}
}

func TestStateMoves(t *testing.T) {
	inWorld(t, func(w *world) {
		for k := range 4 {
			w.add(k + 1)
		}
		synctest.Wait()
		id := w.session(1, 1, 2, 4)
		plan := func() *lock.Plan {
			p := w.plan(id, 1, []int{2}, []int{3}, 4)
			p.Guarantee, p.State = lock.Ordered, []lock.Pair{{From: at(2), To: at(3), Method: lock.Conntrack}}
			return p
		}
		p := plan()
		from, to := w.hosts[at(2)], w.hosts[at(3)]
		from.state[p.Super] = "established"

		to.nf = errors.New("no room")
		got := w.one(p)
		if got.State != stateFailed || got.GetWhy().GetReason() != string(lock.NFState) || got.Why.Address != "10.0.0.3" {
			t.Errorf("migration is %v", got)
		}
		w.wantPath(id, 1, 2, 4)
		w.idle()
		if from.state[p.Super] != "established" || len(to.state) != 0 {
			t.Errorf("states are %q and %q", from.state, to.state)
		}

		to.nf = nil
		if got := w.one(plan()); got.State != stateDone {
			t.Errorf("migration is %v", got)
		}
		w.wantPath(id, 1, 3, 4)
		if to.state[p.Super] != "established" || len(from.state) != 0 {
			t.Errorf("states are %q and %q", from.state, to.state)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		for k := range 4 {
			w.add(k + 1)
		}
		synctest.Wait()
		const n = 500
		var plans []*lock.Plan
		for i := range n {
			id := w.session(i+1, 1, 2, 4)
			plans = append(plans, w.plan(id, 1, []int{2}, []int{3}, 4))
		}
		m := w.hosts[at(1)].mover
		if err := m.Start(9, plans); err != nil {
			t.Fatal(err)
		}
		if err := m.Start(9, plans[:1]); !errors.Is(err, ErrKnown) {
			t.Errorf("the same again: error %v, want %v", err, ErrKnown)
		}
		var counts *proto.MigrationCounts
		for range 60 {
			time.Sleep(time.Second)
			if _, counts = m.List(&proto.ListMigrationsRequest{Job: 9}); counts.Done == n {
				break
			}
		}
		if counts.Done != n || counts.Failed+counts.Running+counts.Queued != 0 || counts.MedianUs == 0 || counts.P99Us < counts.MedianUs {
			t.Errorf("counts are %v", counts)
		}
		if most := w.hosts[at(1)].most; most > lastWindow {
			t.Errorf("%d at once, %d are the limit", most, lastWindow)
		}
		list, _ := m.List(&proto.ListMigrationsRequest{Job: 9, Limit: 3})
		if len(list) != 3 || list[0].Id != uint64(plans[n-1].ID) {
			t.Errorf("list has %d, the first is %016x", len(list), list[0].Id)
		}
		time.Sleep(10 * time.Second)
		w.idle()
		for _, p := range plans {
			w.wantPath(p.Session, 1, 3, 4)
		}
	})
}

func TestWishesFail(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(w *world, p *lock.Plan)
		reason lock.Reason
		tries  uint32
	}{
		{"new host is dead", func(w *world, p *lock.Plan) { w.dead[p.New[0]] = true }, lock.NoAnswer, lock.MaxTries},
		{"old host is dead", func(w *world, p *lock.Plan) { w.dead[p.Old[0]] = true }, lock.NoAnswer, lock.MaxTries},
		{"new host's module does not answer", func(w *world, p *lock.Plan) { w.hosts[p.New[0]].forgets = true }, lock.NoAnswer, lock.MaxTries},
		{"no session", func(w *world, p *lock.Plan) { p.Session[3]++ }, lock.NoSession, 1},
		{"another session", func(w *world, p *lock.Plan) { p.Super.Source = netip.AddrPortFrom(p.Left, 9) }, lock.NoSession, 1},
		{"another path", func(w *world, p *lock.Plan) { p.Old, p.New = p.New, nil }, lock.PathChanged, 1},
		{"left anchor is another host", func(w *world, p *lock.Plan) { p.Left = at(99) }, lock.PathChanged, 1},
		{"module does not hold", func(w *world, p *lock.Plan) {
			p.Guarantee = lock.Ordered
			w.hosts[p.Left].refuses = errors.New("no memory")
		}, lock.ModuleFailed, 1},
		{"module has let go what it held", func(w *world, p *lock.Plan) {
			p.Guarantee = lock.Ordered
			w.hosts[p.Left].letsGo = true
		}, lock.Overflowed, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				for k := range 4 {
					w.add(k + 1)
				}
				synctest.Wait()
				id := w.session(1, 1, 2, 4)
				p := w.plan(id, 1, []int{2}, []int{3}, 4)
				m := w.hosts[at(1)].mover
				tt.spoil(w, p)
				if err := m.Start(1, []*lock.Plan{p}); err != nil {
					t.Fatal(err)
				}
				got := w.await(m, p.ID)
				if got.State != stateFailed || got.GetWhy().GetReason() != string(tt.reason) || got.Tries != tt.tries {
					t.Errorf("migration is %v, want %s after %d tries", got, tt.reason, tt.tries)
				}
				time.Sleep(time.Minute)
				w.wantPath(id, 1, 2, 4)
				w.idle()
			})
		})
	}
}

// That a session has left a host is said when it is on its way back.
func TestHostIsOnThePathAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		p, _ := four(w, lock.Ordered)
		w.hosts[p.New[0]].returns = true
		if got := w.one(p); got.State != stateDone || got.Tries != 1 {
			t.Errorf("migration is %v, want it done at the first try", got)
		}
		w.wantPath(p.Session, 1, 3, 4)
		w.idle()
	})
}

// What is right of a host is told again if the connection was that to an agent which has
// crashed: the first message that goes by it says so, and is lost.
func TestRouteByAConnectionThatIsLost(t *testing.T) {
	inWorld(t, func(w *world) {
		for k := range 5 {
			w.add(k + 1)
		}
		synctest.Wait()
		p := w.plan(w.session(1, 1, 2, 3, 5), 2, []int{3}, []int{4}, 5)
		lost := 0
		w.onTell = func(to netip.Addr, m migrate.Message) bool {
			if _, route := m.(migrate.Route); !route || to != at(1) || lost > 0 {
				return true
			}
			lost++
			time.AfterFunc(time.Millisecond, func() { w.hosts[at(2)].mover.Lost(to) })
			return false
		}
		if got := w.one(p); got.State != stateDone {
			t.Errorf("migration is %v, want it done", got)
		}
		if lost != 1 {
			t.Errorf("%d messages were lost, want 1", lost)
		}
		w.wantPath(p.Session, 1, 2, 4, 5)
		w.idle()
	})
}

// A module that does not answer in time may have done as it was told, and is asked again
// by another try.
func TestModuleIsSlowOnce(t *testing.T) {
	for _, slow := range []func(*lock.Plan) netip.Addr{
		func(p *lock.Plan) netip.Addr { return p.Left },
		func(p *lock.Plan) netip.Addr { return p.Old[0] },
		func(p *lock.Plan) netip.Addr { return p.Right },
	} {
		inWorld(t, func(w *world) {
			p, _ := four(w, lock.Ordered)
			w.hosts[slow(p)].stalls = 1
			if got := w.one(p); got.State != stateDone || got.Tries != 2 {
				t.Errorf("migration is %v, want it done at the second try", got)
			}
			w.wantPath(p.Session, 1, 3, 4)
			w.idle()
		})
	}
}

// A commit is final, so whether it happened is asked until the module says.
func TestCommitWithoutAnAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		p, leader := four(w, lock.Ordered)
		leader.mute = 3
		if got := w.one(p); got.State != stateDone || got.Tries != 1 {
			t.Errorf("migration is %v, want it done at the first try", got)
		}
		if leader.mute != 0 {
			t.Errorf("%d orders to take the new path were not repeated", leader.mute)
		}
		w.wantPath(p.Session, 1, 3, 4)
		w.idle()
	})
}

func TestAbort(t *testing.T) {
	inWorld(t, func(w *world) {
		for k := range 4 {
			w.add(k + 1)
		}
		synctest.Wait()
		w.onTell = func(_ netip.Addr, m migrate.Message) bool { return m != migrate.Message(migrate.SynAck{}) }
		var plans []*lock.Plan
		for i := range lastWindow + 10 {
			plans = append(plans, w.plan(w.session(i+1, 1, 2, 4), 1, []int{2}, []int{3}, 4))
		}
		m := w.hosts[at(1)].mover
		if err := m.Start(9, plans); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		if aborted, late := m.Abort(0, plans[0].ID); aborted != 1 || late != 0 {
			t.Errorf("%d aborted, %d late", aborted, late)
		}
		if aborted, late := m.Abort(9, 0); aborted < lastWindow+9 || late > 1 {
			t.Errorf("%d aborted, %d late", aborted, late)
		}
		time.Sleep(10 * time.Second)
		list, counts := m.List(&proto.ListMigrationsRequest{Job: 9})
		if counts.Failed != uint32(len(plans)) {
			t.Errorf("counts are %v", counts)
		}
		for _, got := range list {
			if got.GetWhy().GetReason() != string(lock.Cancelled) {
				t.Errorf("migration is %v", got)
			}
		}
		time.Sleep(time.Minute)
		w.idle()
		for _, p := range plans {
			w.wantPath(p.Session, 1, 2, 4)
		}
		if aborted, late := m.Abort(9, 0); aborted != 0 || late != len(plans) {
			t.Errorf("afterwards: %d aborted, %d late", aborted, late)
		}
	})
}

// A module does not answer in time when it is to forget a migration: at any host.
func TestRecordsThatNobodyKnows(t *testing.T) {
	for k := range 4 {
		for _, dies := range []bool{false, true} {
			inWorld(t, func(w *world) {
				for k := range 4 {
					w.add(k + 1)
				}
				synctest.Wait()
				id := w.session(1, 1, 2, 4)
				w.hosts[at(k+1)].deaf = 2
				p := w.plan(id, 1, []int{2}, []int{3}, 4)
				if dies {
					w.hosts[p.Right].refuses, p.Guarantee = errors.New("no memory"), lock.Ordered
				}
				w.one(p)
				time.Sleep(time.Minute)
				w.idle()
				if dies {
					w.wantPath(id, 1, 2, 4)
				} else {
					w.wantPath(id, 1, 3, 4)
				}
			})
		}
	}
}

// Whichever agent dies after whichever message, the session has one path afterwards,
// and nobody has a record.
func TestAgentsRestart(t *testing.T) {
	for k := range 4 {
		for after := range 12 {
			inWorld(t, func(w *world) {
				for k := range 4 {
					w.add(k + 1)
				}
				synctest.Wait()
				id := w.session(1, 1, 2, 4)
				p := w.plan(id, 1, []int{2}, []int{3}, 4)
				reached := make(chan struct{}, 1)
				w.onTell = func(netip.Addr, migrate.Message) bool {
					w.mu.Lock()
					defer w.mu.Unlock()
					if w.tells == after+1 {
						reached <- struct{}{}
					}
					return true
				}
				if err := w.hosts[at(1)].mover.Start(1, []*lock.Plan{p}); err != nil {
					t.Fatal(err)
				}
				select {
				case <-reached:
				case <-time.After(time.Minute):
				}
				w.hosts[at(k+1)].restart()
				time.Sleep(5 * time.Minute)
				w.idle()
				path := w.path(id, 1)
				if len(path) != 3 || path[1] != 2 && path[1] != 3 {
					t.Errorf("agent %d died after %d messages: session passes %v", k+1, after, path)
				}
			})
		}
	}
}
