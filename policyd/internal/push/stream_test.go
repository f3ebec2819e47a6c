// SPDX-License-Identifier: Apache-2.0

package push

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

const twoRules = `type firewall { fw 10.0.0.2 weight 2, 10.0.0.3 }
type ids { 10.0.0.4 }
match(srcip=10.0.0.1 & dstport=80) >> {ids -> firewall} on-failure bypass
match(srcip=10.0.0.9) >> {firewall}
`

func TestFirstPushIsTheHostsSubpolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(twoRules)
		a := d.connect(registration("client", "10.0.0.9"))
		_, got := a.subpolicy()
		secret := make([]byte, store.SecretLen)
		want := &proto.Subpolicy{
			Version: 1,
			Seed:    secret,
			Keys:    []*proto.SetupKey{{Id: 1, Secret: secret}},
			Types: []*proto.NFType{{Name: "firewall", Instances: []*proto.Instance{
				{Address: "10.0.0.2", Weight: 2, Name: "fw"}, {Address: "10.0.0.3", Weight: 1},
			}}},
			Rules: []*proto.Rule{{Number: 2, Predicate: "srcip=10.0.0.9", Types: []uint32{0}}},
			Hosts: []string{"10.0.0.9"},
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("subpolicy (-want +got):\n%s", diff)
		}

		_, got = d.connect(registration("other", "10.0.0.1")).subpolicy()
		rules := []*proto.Rule{{
			Number: 1, Predicate: "srcip=10.0.0.1 & dstport=80", Types: []uint32{1, 0}, BypassOnFailure: true,
		}}
		if diff := cmp.Diff(rules, got.Rules, protocmp.Transform()); diff != "" {
			t.Errorf("rules of the other host (-want +got):\n%s", diff)
		}
	})
}

func TestHostWithoutAnyPolicyIsPushedVersionZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		nonce, s := d.connect(registration("a", "10.0.0.1")).subpolicy()
		if s.Version != 0 || len(s.Rules) != 0 || len(s.Keys) != 1 {
			t.Errorf("subpolicy %v", s)
		}
		if err := d.hub.Acknowledge("a", nonce, 0, "", false); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Counts{Known: 1, Connected: 1, InSync: 1}, d.hub.Counts()); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
	})
}

func TestAcknowledgements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(twoRules)
		a := d.connect(registration("a", "10.0.0.9"))
		check := func(step string, inSync int, want *proto.HostPolicy) {
			t.Helper()
			synctest.Wait()
			want.Host, want.Connected = "a", true
			if diff := cmp.Diff([]*proto.HostPolicy{want}, d.hub.Policies(), protocmp.Transform()); diff != "" {
				t.Errorf("%s: policies (-want +got):\n%s", step, diff)
			}
			if got := d.hub.Counts().InSync; got != inSync {
				t.Errorf("%s: %d hosts in sync, want %d", step, got, inSync)
			}
		}

		first, _ := a.subpolicy()
		check("offered", 0, &proto.HostPolicy{OfferedVersion: 1, Rules: 1})
		a.acknowledge(first, 1, "")
		check("loaded", 1, &proto.HostPolicy{OfferedVersion: 1, RunningVersion: 1, Rules: 1})

		d.policy("match(any) >> {}\n" + twoRules)
		second, _ := a.subpolicy()
		check("offered another", 0, &proto.HostPolicy{OfferedVersion: 2, RunningVersion: 1, Rules: 1})
		a.acknowledge(second, 1, "no memory")
		check("refused", 0, &proto.HostPolicy{OfferedVersion: 2, RunningVersion: 1, Rules: 1, Error: "no memory"})

		d.connect(registration("b", "10.0.0.2")).leave()
		time.Sleep(settleFor)
		again, _ := a.subpolicy()
		if again == second {
			t.Error("a nonce was used twice")
		}
		a.acknowledge(second, 1, "") // late: about the push before
		if got := d.hub.Policies()[0].Error; got != "no memory" {
			t.Errorf("offered again: error %q, want the one that stands", got)
		}
		a.acknowledge(again, 2, "")
		if got := d.hub.Policies()[0]; got.Error != "" || got.RunningVersion != 2 {
			t.Errorf("loaded in the end: %v", got)
		}
		a.acknowledge(again, 2, "broke since")
		d.policy(twoRules)
		if got := d.connectedPolicy(a); got.Error != "" || got.OfferedVersion != 3 {
			t.Errorf("a refusal outlived the version that it was about: %v", got)
		}
	})
}

func (d *domain) connectedPolicy(a *agent) *proto.HostPolicy {
	synctest.Wait()
	for _, p := range d.hub.Policies() {
		if p.Host == a.name {
			return p
		}
	}
	return nil
}

func TestNewerStreamReplacesTheOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(twoRules)
		old := d.connect(registration("a", "10.0.0.1"))
		oldNonce, _ := old.subpolicy()

		r := registration("a", "10.0.0.1")
		r.Running = 1
		newer := d.connect(r)
		if err := <-old.ended; !errors.Is(err, ErrReplaced) {
			t.Errorf("the older stream ended with %v, want %v", err, ErrReplaced)
		}
		nonce, _ := newer.subpolicy()
		if nonce <= oldNonce {
			t.Errorf("nonce %d came after %d", nonce, oldNonce)
		}
		old.acknowledge(oldNonce, 1, "meant for the older stream")
		want := &proto.HostPolicy{Host: "a", Connected: true, OfferedVersion: 1, RunningVersion: 1, Rules: 1}
		if diff := cmp.Diff(want, d.connectedPolicy(newer), protocmp.Transform()); diff != "" {
			t.Errorf("policy (-want +got):\n%s", diff)
		}
		d.policy("match(any) >> {}")
		if _, s := newer.subpolicy(); s.Version != 2 {
			t.Errorf("version %d, want 2", s.Version)
		}
		if p := old.take(); len(p) != 0 {
			t.Errorf("the older stream was sent %v", p)
		}
	})
}

func TestReconnectTellsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(twoRules)
		a := d.connect(registration("a", "10.0.0.1"))
		nonce, _ := a.subpolicy()
		a.acknowledge(nonce, 1, "")
		a.leave()
		if err := d.hub.Acknowledge("a", nonce, 1, "", false); !errors.Is(err, ErrNoStream) {
			t.Errorf("acknowledgement without a stream: error %v, want %v", err, ErrNoStream)
		}
		want := &proto.HostPolicy{Host: "a", OfferedVersion: 1, RunningVersion: 1, Rules: 1}
		if diff := cmp.Diff(want, d.connectedPolicy(a), protocmp.Transform()); diff != "" {
			t.Errorf("while away (-want +got):\n%s", diff)
		}
		d.policy("match(any) >> {}")
		r := registration("a", "10.0.0.1")
		r.Running = 1
		a = d.connect(r)
		if _, s := a.subpolicy(); s.Version != 2 {
			t.Errorf("first push after the return has version %d, want 2", s.Version)
		}
	})
}

func TestHostsOfACrowdArePushedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		a := d.connect(registration("a", "10.0.0.1"))
		a.take()
		want := []string{"10.0.0.1"}
		for i := range 50 {
			address := fmt.Sprintf("10.1.0.%d", i+1)
			want = append(want, address)
			d.connect(registration(fmt.Sprintf("b%02d", i), address))
		}
		if p := a.take(); len(p) != 0 {
			t.Errorf("pushed before the hosts settled: %v", p)
		}
		time.Sleep(settleFor)
		_, s := a.subpolicy()
		if diff := cmp.Diff(want, s.Hosts); diff != "" {
			t.Errorf("hosts (-want +got):\n%s", diff)
		}

		// What does not change the others' subpolicy is not pushed to them.
		r := registration("b00", "10.1.0.1")
		r.Host.NFTypes = []string{"firewall"}
		d.connect(r)
		time.Sleep(2 * settleFor)
		if p := a.take(); len(p) != 0 {
			t.Errorf("pushed after a change of NF types: %v", p)
		}
		d.connect(registration("b00", "10.2.0.1"))
		time.Sleep(settleFor)
		if _, s := a.subpolicy(); s.Hosts[1] != "10.2.0.1" {
			t.Errorf("hosts after a change of address: %v", s.Hosts[:3])
		}
	})
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		a := d.connect(registration("a", "10.0.0.1"))
		last, _ := a.subpolicy()
		for range 3 {
			time.Sleep(KeepAliveEvery)
			p := a.take()
			if len(p) != 1 || p[0].GetKeepAlive() == nil || p[0].Nonce <= last {
				t.Fatalf("pushes %v, want one keep-alive with a nonce above %d", p, last)
			}
			if got, want := p[0].GetKeepAlive().UnixMs, time.Now().UnixMilli(); got != want {
				t.Errorf("it says that it is %d, want %d", got, want)
			}
			last = p[0].Nonce
		}
	})
}

func TestSlowHostHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		stall := make(chan struct{})
		slow := d.open(registration("slow", "10.0.0.1"), stall)
		quick := d.connect(registration("quick", "10.0.0.2"))
		quick.take()
		for i := range 100 {
			d.policy(fmt.Sprintf("match(dstport=%d) >> {}", i+1))
			if _, s := quick.subpolicy(); s.Version != uint64(i+1) {
				t.Fatalf("version %d, want %d", s.Version, i+1)
			}
		}
		close(stall)
		var versions []uint64
		for _, p := range slow.take() {
			versions = append(versions, p.GetSubpolicy().GetVersion())
		}
		// The one it hung on, then the newest; what lay between is skipped.
		if diff := cmp.Diff([]uint64{0, 100}, versions); diff != "" {
			t.Errorf("versions at the slow host (-want +got):\n%s", diff)
		}
	})
}

func TestStreamEndsWhenItsHostCannotBeReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		broken := errors.New("broken pipe")
		err := d.hub.Subscribe(t.Context(), registration("a", "10.0.0.1"), func(*proto.Push) error { return broken })
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "host a") {
			t.Errorf("error %v", err)
		}
		if got := d.hub.Counts(); got.Known != 1 || got.Connected != 0 {
			t.Errorf("counts %+v", got)
		}
	})
}
