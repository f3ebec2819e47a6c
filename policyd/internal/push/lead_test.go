// SPDX-License-Identifier: Apache-2.0

package push

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

func TestHubThatFollowsHasNoHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		a := d.connect(registration("a", "10.0.0.1"))
		asked := make(chan []*proto.Missing, 1)
		go func() {
			_, missing, _ := d.hub.Ask(t.Context(), "a", &proto.Query{})
			asked <- missing
		}()
		synctest.Wait()
		d.hub.Follow()
		if err := <-a.ended; !errors.Is(err, ErrNotLeading) {
			t.Errorf("the stream ended with %v, want %v", err, ErrNotLeading)
		}
		if missing := <-asked; len(missing) != 1 {
			t.Errorf("missing %v, want the host", missing)
		}
		if err := d.hub.Subscribe(t.Context(), registration("a", "10.0.0.1"), nil); !errors.Is(err, ErrNotLeading) {
			t.Errorf("subscribe: error %v, want %v", err, ErrNotLeading)
		}
		if _, _, err := d.hub.Ask(t.Context(), "", &proto.Query{}); !errors.Is(err, ErrNotLeading) {
			t.Errorf("ask: error %v, want %v", err, ErrNotLeading)
		}
		d.policy("match(any) >> {}")
		if got, err := d.hub.Domain(); err != nil || got.State.Policy.Version != 1 {
			t.Errorf("domain %+v, error %v: a follower explains, too", got, err)
		}
	})
}

// A hub that leads again once gave a host's address away, because it had not
// seen the host since it last led.
func TestHubThatLeadsAgainKnowsNothingOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		old := d.connect(registration("old", "10.0.0.1"))
		nonce, _ := old.subpolicy()
		old.acknowledge(nonce, 0, "no memory")
		d.hub.Follow()
		time.Sleep(2 * takeoverAfter)
		state, err := d.fsm.State()
		if err != nil {
			t.Fatal(err)
		}
		d.hub.Lead(state)
		if err := d.hub.Subscribe(t.Context(), registration("new", "10.0.0.1"), nil); !errors.Is(err, store.ErrAddressTaken) {
			t.Errorf("error %v, want %v", err, store.ErrAddressTaken)
		}
		if p := d.hub.Policies()[0]; p.Error != "" || p.Connected {
			t.Errorf("policy of the host: %v", p)
		}
		if _, s := d.connect(registration("old", "10.0.0.1")).subpolicy(); s.Version != 0 {
			t.Errorf("version %d", s.Version)
		}
	})
}
