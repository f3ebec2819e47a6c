// SPDX-License-Identifier: Apache-2.0

package push

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

func TestHubServesNobodyBeforeItHasAState(t *testing.T) {
	h := NewHub(nil, nil)
	if err := h.Subscribe(t.Context(), registration("a", "10.0.0.1"), nil); !errors.Is(err, ErrNotReady) {
		t.Errorf("subscribe: error %v, want %v", err, ErrNotReady)
	}
	if _, _, err := h.Ask(t.Context(), "", &proto.Query{}); !errors.Is(err, ErrNotReady) {
		t.Errorf("ask: error %v, want %v", err, ErrNotReady)
	}
	if _, err := h.Domain(); !errors.Is(err, ErrNotReady) {
		t.Errorf("domain: error %v, want %v", err, ErrNotReady)
	}
}

func TestUpdateIgnoresAnOlderState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		older := d.policy("match(dstport=1) >> {}")
		d.policy("match(dstport=2) >> {}")
		d.hub.Update(older)
		got, err := d.hub.Domain()
		if err != nil || got.State.Policy.Version != 2 {
			t.Errorf("version %d runs, error %v", got.State.Policy.Version, err)
		}
	})
}

// A policy that an older policyd found right may be wrong for this one.
func TestHubRefusesHostsWhileItsPolicyDoesNotParse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy("match(colour=red) >> {}")
		err := d.hub.Subscribe(t.Context(), registration("a", "10.0.0.1"), nil)
		if !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "colour") {
			t.Errorf("error %v", err)
		}
		d.policy("match(any) >> {}")
		if _, s := d.connect(registration("a", "10.0.0.1")).subpolicy(); s.Version != 2 {
			t.Errorf("version %d, want 2", s.Version)
		}
	})
}

func TestAddressOfAnotherHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		subscribe := func() error {
			return d.hub.Subscribe(t.Context(), registration("new", "10.0.0.1"), nil)
		}
		old := d.connect(registration("old", "10.0.0.1"))
		time.Sleep(2 * takeoverAfter)
		if err := subscribe(); !errors.Is(err, store.ErrAddressTaken) || !strings.Contains(err.Error(), "host old") {
			t.Errorf("while the other host is connected: error %v, want %v", err, store.ErrAddressTaken)
		}
		old.leave()
		time.Sleep(takeoverAfter - time.Second)
		if err := subscribe(); !errors.Is(err, store.ErrAddressTaken) {
			t.Errorf("while the other host may come back: error %v, want %v", err, store.ErrAddressTaken)
		}
		time.Sleep(time.Second)
		if _, s := d.connect(registration("new", "10.0.0.1")).subpolicy(); len(s.Hosts) != 1 {
			t.Errorf("hosts %v", s.Hosts)
		}
		var names []string
		for _, h := range d.hub.Hosts() {
			names = append(names, h.Name)
		}
		if diff := cmp.Diff([]string{"new"}, names); diff != "" {
			t.Errorf("hosts (-want +got):\n%s", diff)
		}
	})
}

// Right after a restart of policyd nobody is connected, and nobody may use that.
func TestAddressIsNotTakenOverWhilePolicydIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.apply(store.Command{SetHost: &store.SetHost{Host: registration("old", "10.0.0.1").Host}})
		err := d.hub.Subscribe(t.Context(), registration("new", "10.0.0.1"), nil)
		if !errors.Is(err, store.ErrAddressTaken) {
			t.Errorf("error %v, want %v", err, store.ErrAddressTaken)
		}
	})
}

func TestStreamEndsWhenItsHostIsDisplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		a := d.connect(registration("a", "10.0.0.1", "10.0.0.2"))
		b := store.Host{Name: "b", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.2")}}
		d.apply(store.Command{SetHost: &store.SetHost{Host: b, Replaces: []string{"a"}}})
		if err := <-a.ended; !errors.Is(err, ErrDisplaced) {
			t.Errorf("error %v, want %v", err, ErrDisplaced)
		}
	})
}

func TestStopEndsEveryStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		a, b := d.connect(registration("a", "10.0.0.1")), d.connect(registration("b", "10.0.0.2"))
		d.hub.Stop()
		for _, agent := range []*agent{a, b} {
			if err := <-agent.ended; !errors.Is(err, ErrStopping) {
				t.Errorf("host %s: error %v, want %v", agent.name, err, ErrStopping)
			}
		}
		if err := d.hub.Subscribe(t.Context(), registration("a", "10.0.0.1"), nil); !errors.Is(err, ErrStopping) {
			t.Errorf("subscribe: error %v, want %v", err, ErrStopping)
		}
	})
}

func TestHostsAreReportedAsTheyWereLastSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.apply(store.Command{SetHost: &store.SetHost{Host: store.Host{
			Name: "away", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.9")}, ChangedUnixMS: 77,
		}}})
		r := registration("here", "10.0.0.1", "10.0.0.2")
		r.Host.NFTypes = []string{"firewall"}
		r.Status = &proto.HostStatus{Host: "here", Kernel: "6.12"}
		here := d.connect(r)
		gone := d.connect(registration("gone", "10.0.0.3"))
		gone.leave()
		left := time.Now().UnixMilli()
		time.Sleep(time.Minute)
		here.take()

		want := []*proto.Host{
			{Name: "away", Addresses: []string{"10.0.0.9"}, LastSeenUnixMs: 77},
			{Name: "gone", Addresses: []string{"10.0.0.3"}, LastSeenUnixMs: left},
			{
				Name: "here", Addresses: []string{"10.0.0.1", "10.0.0.2"}, NfTypes: []string{"firewall"},
				Connected: true, LastSeenUnixMs: time.Now().UnixMilli(),
				Status: &proto.HostStatus{Host: "here", Kernel: "6.12"},
			},
		}
		if diff := cmp.Diff(want, d.hub.Hosts(), protocmp.Transform()); diff != "" {
			t.Errorf("hosts (-want +got):\n%s", diff)
		}
	})
}
