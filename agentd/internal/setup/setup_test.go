// SPDX-License-Identifier: Apache-2.0

package setup_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/agentd/internal/session"
	"mbchain/chain"
)

// orders returns what each host's module was told to do.
func (d *domain) orders() map[string]string {
	all := make(map[string]string)
	for _, h := range d.hosts {
		all[h.name] = strings.Join(h.module.Orders(), ", ")
	}
	return all
}

func (d *domain) wantOrders(want map[string]string) {
	d.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, d.orders()); diff != "" {
		d.Errorf("what modules were told (-want +got):\n%s", diff)
	}
}

// wantSetup checks how a session stands on the hosts from left to right.
func (d *domain) wantSetup(id chain.SessionID, want ...chain.Setup) {
	d.Helper()
	var got []chain.Setup
	for _, h := range d.hosts {
		got = append(got, h.module.Setup(id))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.Errorf("session on hosts (-want +got):\n%s", diff)
	}
}

const (
	gone    = chain.SetupUnspecified
	waiting = chain.SetupWaiting
	done    = chain.SetupDone
	blocked = chain.SetupBlocked
)

func TestSetupOfAChain(t *testing.T) {
	for _, middleboxes := range []int{0, 1, 2, 14} {
		synctest.Test(t, func(t *testing.T) {
			d := newDomain(t, middleboxes)
			p := d.part(1)
			d.hosts[0].module.Want(p, false)
			synctest.Wait()
			want := map[string]string{"client": "release", "server": "install"}
			var up []chain.Setup
			for _, h := range d.hosts {
				up = append(up, done)
				if strings.HasPrefix(h.name, "mb") {
					want[h.name] = "install, release"
				}
			}
			d.wantOrders(want)
			d.wantSetup(p.ID, up...)
		})
	}
}

func TestManySetupsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 2)
		for i := range 50 {
			d.hosts[0].module.Want(d.part(byte(i+1)), false)
		}
		synctest.Wait()
		for i := range 50 {
			d.wantSetup(chain.SessionID{byte(i + 1)}, done, done, done, done)
		}
	})
}

// Events may be lost, and the agent may have been away: a dump tells.
func TestWaitingSessionsAreTakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 1)
		client := d.hosts[0]
		client.module.Want(d.part(1), true)
		client.module.LoseSetups()
		synctest.Wait()
		d.wantSetup(chain.SessionID{1}, done, done, done)

		client.stop()
		client.module.Want(d.part(2), true)
		d.start(client)
		synctest.Wait()
		d.wantSetup(chain.SessionID{2}, done, done, done)
	})
}

func TestOldWishesAreNoWishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 1)
		client := d.hosts[0]
		client.module.Want(d.part(1), false)
		client.module.WantAgain(chain.SessionID{1})
		synctest.Wait()
		client.module.WantAgain(chain.SessionID{1})
		d.wantOrders(map[string]string{"client": "release", "mb1": "install, release", "server": "install"})
	})
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name    string
		trouble func(d *domain)
		want    map[string]string
		log     string // of the client
	}{
		{
			"server's module is full",
			func(d *domain) { d.hosts[2].module.RefuseInstall("table_full") },
			map[string]string{"client": "fail: refused", "mb1": "install, fail: refused, delete", "server": "install"},
			`msg="set-up refused" session=01000000000000000000000000000000 reason=table_full refused_by=server peer=10.0.0.3`,
		},
		{
			"middlebox's module is full",
			func(d *domain) { d.hosts[1].module.RefuseInstall("table_full") },
			map[string]string{"client": "fail: refused", "mb1": "install", "server": ""},
			"reason=table_full refused_by=mb1 peer=10.0.0.2",
		},
		{
			"middlebox's module fails",
			func(d *domain) { d.hosts[1].module.RefuseInstall("") },
			map[string]string{"client": "fail: refused", "mb1": "install, delete", "server": ""},
			"reason=module_failed refused_by=mb1 peer=10.0.0.2",
		},
		{
			"middlebox is away",
			func(d *domain) { d.away["mb1"] = errLost },
			map[string]string{"client": "fail: no answer", "mb1": "", "server": ""}, "",
		},
		{
			"server is away",
			func(d *domain) { d.away["server"] = errLost },
			map[string]string{"client": "fail: no answer", "mb1": "install, fail: no answer, delete", "server": ""},
			"reason=no_answer refused_by=mb1 peer=10.0.0.3",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDomain(t, 1)
				test.trouble(d)
				d.hosts[0].module.Want(d.part(1), false)
				d.wantOrders(test.want)
				d.wantSetup(chain.SessionID{1}, blocked, gone, gone)
				if text := d.hosts[0].log.String(); !strings.Contains(text, test.log) || test.log == "" && text != "" {
					t.Errorf("log does not say %q:\n%s", test.log, text)
				}
			})
		})
	}
}

func TestTheSameRefusalIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 0)
		for i := range 10 {
			d.hosts[1].module.RefuseInstall("table_full")
			d.hosts[0].module.Want(d.part(byte(i+1)), false)
			time.Sleep(10 * time.Second)
		}
		synctest.Wait()
		if n := strings.Count(d.hosts[0].log.String(), "set-up refused"); n != 2 {
			t.Errorf("told %d times, want 2:\n%s", n, d.hosts[0].log)
		}
	})
}

// A connection that was lost unnoticed is found out by the SYN, which goes out
// again on a new one; but not for ever.
func TestLostConnectionIsTriedAgain(t *testing.T) {
	for losses, want := range map[int]chain.Setup{1: done, 2: blocked} {
		synctest.Test(t, func(t *testing.T) {
			d := newDomain(t, 0)
			d.losses = losses
			d.hosts[0].module.Want(d.part(1), false)
			synctest.Wait()
			if got := d.hosts[0].module.Setup(chain.SessionID{1}); got != want {
				t.Errorf("after %d losses: %v, want %v", losses, got, want)
			}
		})
	}
}

// ask opens a stream to a host as if its left neighbour were this test.
func (d *domain) ask(h *host, from ...string) *stream {
	left, right := newPipe(), newPipe()
	s := &stream{in: left, out: right, addresses: []netip.Addr{h.address}}
	other := &stream{in: right, out: left}
	for _, a := range from {
		other.addresses = append(other.addresses, netip.MustParseAddr(a))
	}
	ctx := h.ctx
	d.serve.Go(func() { h.service.Serve(ctx, other) })
	return s
}

func (d *domain) syn(first byte) session.Syn {
	p := d.part(first)
	return session.Syn{ID: p.ID, Super: p.Super, Wire: p.Right, Hops: p.Hops[1:], Within: 3 * time.Second}
}

func (d *domain) wantMessage(s *stream, want session.Message) {
	d.Helper()
	got, err := s.Receive()
	if err != nil || got != want {
		d.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// A middlebox forgets what its left neighbour gave up, and so does the server.
func TestLeftNeighbourGivesUp(t *testing.T) {
	tests := []struct {
		name string
		give func(d *domain, s *stream)
	}{
		{"resets", func(_ *domain, s *stream) { s.Reset() }},
		{"ends", func(_ *domain, s *stream) { s.End() }},
		{"says nothing", func(*domain, *stream) { time.Sleep(6 * time.Second) }},
		{"says SYN again", func(d *domain, s *stream) { _ = s.Send(d.syn(1)) }},
		{"connection is lost", func(_ *domain, s *stream) { s.out.end(errLost, true) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDomain(t, 1)
				s := d.ask(d.hosts[1], "10.0.0.1")
				if err := s.Send(d.syn(1)); err != nil {
					t.Fatal(err)
				}
				d.wantMessage(s, session.SynAck{})
				d.wantSetup(chain.SessionID{1}, gone, done, done)
				test.give(d, s)
				synctest.Wait()
				d.wantSetup(chain.SessionID{1}, gone, gone, gone)
			})
		})
	}
}

// The same on the wire, from its left neighbour's side: all in order.
func TestMiddleboxOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 1)
		s := d.ask(d.hosts[1], "10.255.0.1", "10.0.0.1")
		if err := s.Send(d.syn(1)); err != nil {
			t.Fatal(err)
		}
		d.wantMessage(s, session.SynAck{})
		if err := s.Send(session.Ack{}); err != nil {
			t.Fatal(err)
		}
		if m, err := s.Receive(); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, %v, want the end", m, err)
		}
		s.Reset()
		synctest.Wait()
		d.wantSetup(chain.SessionID{1}, gone, done, done)
	})
}

// A neighbour asks for the session whose right part this host's own module
// wants: set up in-band up to here, and known.
func TestMiddleboxThatIsAskedForWhatItSetsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 1)
		mb1 := d.hosts[1]
		own := session.Part{
			ID: chain.SessionID{1}, Super: d.part(1).Super,
			Right: tuple("10.0.0.2:50003", "10.0.0.3:50004"), Hops: d.part(1).Hops[1:],
		}
		server := d.hosts[2]
		server.stop()
		played := make(chan *stream, 2)
		d.manual(server, played)
		mb1.module.Want(own, false)
		own1 := <-played
		s := d.ask(mb1, "10.0.0.1")
		if err := s.Send(d.syn(1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		serve(t, own1)
		go serve(t, <-played)
		if m, err := s.Receive(); err != nil || m != (session.SynAck{Known: true}) {
			t.Fatalf("got %v, %v, want a SYNACK that says known", m, err)
		}
		if err := s.Send(session.Ack{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receive(); !errors.Is(err, io.EOF) {
			t.Errorf("no end: %v", err)
		}
		synctest.Wait()
		d.wantSetup(chain.SessionID{1}, gone, done, gone) // the server is the test
	})
}

// A second SYN waits until what the first one began is undone.
func TestSecondSynWaitsForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 1)
		first, second := d.ask(d.hosts[1], "10.0.0.1"), d.ask(d.hosts[1], "10.0.0.1")
		if err := first.Send(d.syn(1)); err != nil {
			t.Fatal(err)
		}
		d.wantMessage(first, session.SynAck{})
		if err := second.Send(d.syn(1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		first.Reset()
		d.wantMessage(second, session.SynAck{})
		if err := second.Send(session.Ack{}); err != nil {
			t.Fatal(err)
		}
		d.wantOrders(map[string]string{
			"client": "", "mb1": "install, release, delete, install, release", "server": "install, delete, install",
		})
		d.wantSetup(chain.SessionID{1}, gone, done, done)
	})
}

// Nobody gets a subsession that is not his, and the module is not even asked.
func TestWhoMayAsk(t *testing.T) {
	tests := []struct {
		name   string
		from   []string
		change func(*session.Syn)
		want   session.Reject
	}{
		{
			"for another host's address", []string{"10.0.0.9"}, func(*session.Syn) {},
			session.Reject{Reason: "not_authorized", Host: "mb1", Address: netip.MustParseAddr("10.0.0.2")},
		},
		{
			"for no address", nil, func(*session.Syn) {},
			session.Reject{Reason: "not_authorized", Host: "mb1", Address: netip.MustParseAddr("10.0.0.2")},
		},
		{
			"another host", []string{"10.0.0.1"},
			func(s *session.Syn) { s.Wire = tuple("10.0.0.1:50001", "10.0.0.3:50002") },
			session.Reject{Reason: "not_here", Host: "mb1"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDomain(t, 1)
				s := d.ask(d.hosts[1], test.from...)
				syn := d.syn(1)
				test.change(&syn)
				if err := s.Send(syn); err != nil {
					t.Fatal(err)
				}
				d.wantMessage(s, test.want)
				if m, err := s.Receive(); !errors.Is(err, io.EOF) {
					t.Errorf("got %v, %v, want the end", m, err)
				}
				d.wantOrders(map[string]string{"client": "", "mb1": "", "server": ""})
			})
		})
	}
}

func TestNeighbourThatSaysNothingOrNonsense(t *testing.T) {
	for name, send := range map[string]session.Message{"nothing": nil, "ACK first": session.Ack{}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDomain(t, 0)
				s := d.ask(d.hosts[1], "10.0.0.1")
				if send != nil {
					if err := s.Send(send); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				if m, err := s.Receive(); !errors.Is(err, errReset) {
					t.Errorf("got %v, %v, want a reset", m, err)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// The right neighbour takes its SYNACK back, says nonsense, or nothing: the
// client's session must not be left as if it were set up.
func TestRightNeighbourMisbehaves(t *testing.T) {
	tests := []struct {
		name string
		play func(s *stream)
		want string
	}{
		{"resets at once", func(s *stream) { s.Reset() }, "fail: no answer"},
		{"ends at once", func(s *stream) { s.End() }, "fail: no answer"},
		{"says nothing", func(*stream) {}, "fail: no answer"},
		{"asks back", func(s *stream) { _ = s.Send(session.Ack{}) }, "fail: no answer"},
		{"resets after its SYNACK", func(s *stream) {
			_ = s.Send(session.SynAck{})
			synctest.Wait()
			s.Reset()
		}, "release, delete"},
		{"never ends", func(s *stream) { _ = s.Send(session.SynAck{}) }, "release, delete"},
		{"says SYNACK twice", func(s *stream) {
			_ = s.Send(session.SynAck{})
			_ = s.Send(session.SynAck{})
		}, "release, delete"},
		{"rejects after its SYNACK", func(s *stream) {
			_ = s.Send(session.SynAck{})
			_ = s.Send(session.Reject{Reason: "busy", Host: "server"})
		}, "release, delete"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDomain(t, 0)
				d.hosts[1].stop()
				d.hosts[1].service = nil
				played := make(chan *stream, 2)
				d.manual(d.hosts[1], played)
				d.hosts[0].module.Want(d.part(1), false)
				s := <-played
				if _, err := s.Receive(); err != nil {
					t.Fatal(err)
				}
				test.play(s)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if got := strings.Join(d.hosts[0].module.Orders(), ", "); got != test.want {
					t.Errorf("module was told %q, want %q", got, test.want)
				}
			})
		})
	}
}

// An agent that stops gives up what is under way, on both sides.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 1)
		played := make(chan *stream, 2)
		d.hosts[2].stop()
		d.manual(d.hosts[2], played)
		d.hosts[0].module.Want(d.part(1), false)
		s := <-played
		if _, err := s.Receive(); err != nil {
			t.Fatal(err)
		}
		d.wantSetup(chain.SessionID{1}, waiting, waiting, gone)
		d.hosts[1].stop()
		synctest.Wait()
		if m, err := s.Receive(); !errors.Is(err, errReset) {
			t.Errorf("server got %v, %v, want a reset", m, err)
		}
		d.wantSetup(chain.SessionID{1}, blocked, gone, gone)

		d.start(d.hosts[1])
		synctest.Wait()
		d.hosts[0].module.Want(d.part(2), false)
		<-played
		d.hosts[0].stop()
		synctest.Wait()
		d.wantSetup(chain.SessionID{2}, blocked, gone, gone)
	})
}

// A session whose wait ended meanwhile is not set up, and everybody forgets it.
func TestModuleWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 1)
		played := make(chan *stream, 2)
		d.hosts[2].stop()
		d.manual(d.hosts[2], played)
		d.hosts[0].module.Want(d.part(1), false)
		s := <-played
		if _, err := s.Receive(); err != nil {
			t.Fatal(err)
		}
		d.hosts[0].module.Expire(chain.SessionID{1})
		if err := s.Send(session.SynAck{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if m, err := s.Receive(); !errors.Is(err, errReset) {
			t.Errorf("server got %v, %v, want a reset", m, err)
		}
		d.wantSetup(chain.SessionID{1}, blocked, gone, gone)
	})
}

func TestModuleThatComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 0)
		client := d.hosts[0]
		client.stop()
		client.module.Unload()
		d.start(client)
		time.Sleep(3 * time.Second)
		client.module.Reload()
		time.Sleep(2 * time.Second)
		if !client.module.SetupListened() {
			t.Fatal("nobody sets sessions up")
		}
		client.module.Want(d.part(1), false)
		synctest.Wait()
		d.wantSetup(chain.SessionID{1}, done, done)
		if text := client.log.String(); text != "" {
			t.Errorf("log:\n%s", text)
		}
	})
}

// serve plays a last host that takes everything.
func serve(t *testing.T, s *stream) {
	if _, err := s.Receive(); err != nil {
		t.Error(err)
	}
	if err := s.Send(session.SynAck{}); err != nil {
		t.Error(err)
	}
	if m, err := s.Receive(); err != nil || m != (session.Ack{}) {
		t.Errorf("got %v, %v, want an ACK", m, err)
	}
	s.End()
}

// What was asked of the old module tells nothing of the new one.
func TestModuleThatIsLoadedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomain(t, 0)
		d.hosts[0].reload()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		d.hosts[0].module.Want(d.part(1), false)
		synctest.Wait()
		d.wantSetup(chain.SessionID{1}, done, done)
	})
}

// manual hands a host's streams to the test instead of its agent.
func (d *domain) manual(h *host, streams chan<- *stream) {
	h.stop = func() {}
	h.ctx = context.Background()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byHand[h.name] = streams
}
