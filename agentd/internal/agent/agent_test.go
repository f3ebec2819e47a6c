// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/subpolicy"
	"mbchain/proto"
)

// bench is an agent amid fakes.
type bench struct {
	*testing.T
	module    *agenttest.Module
	disk      *disk
	policyd   *policyd
	agent     *agent.Agent
	log       *bytes.Buffer // read it only after stop
	stop      func()
	mu        sync.Mutex
	addresses []netip.Addr
}

// start runs an agent until the test ends. Time is virtual.
func start(t *testing.T, m *agenttest.Module, d *disk) *bench {
	return startWith(t, m, d, func(*agent.Config) {})
}

func startWith(t *testing.T, m *agenttest.Module, d *disk, configure func(*agent.Config)) *bench {
	b := &bench{
		T: t, module: m, disk: d, policyd: newPolicyd(), log: new(bytes.Buffer),
		addresses: []netip.Addr{netip.MustParseAddr("10.0.0.2")},
	}
	config := agent.Config{
		Host: "mb1", NFTypes: []string{"firewall"},
		AgentVersion: "1.2.3", KernelRelease: "6.12",
		Addresses: func() ([]netip.Addr, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.addresses, nil
		},
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	configure(&config)
	b.agent = agent.New(config, m, d, b.policyd)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.agent.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(b.stop)
	synctest.Wait()
	return b
}

func sub(version uint64) *proto.Subpolicy {
	return &proto.Subpolicy{
		Version: version,
		Seed:    []byte("seedseedseedseed"),
		Keys:    []*proto.SetupKey{{Id: 1, Secret: []byte("kkkkkkkkkkkkkkkk")}},
		Rules:   []*proto.Rule{{Number: 1, Predicate: "any"}},
	}
}

// offer makes policyd offer a subpolicy and waits until it is dealt with.
func (b *bench) offer(nonce uint64, s *proto.Subpolicy) {
	b.Helper()
	b.agent.Offer(b.Context(), subpolicy.Ref{Stream: 1, Nonce: nonce}, s)
	synctest.Wait()
}

// wantAcks checks what policyd was told since the last call.
func (b *bench) wantAcks(want ...string) {
	b.Helper()
	var got []string
	for len(b.policyd.acks) > 0 {
		got = append(got, (<-b.policyd.acks).String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("acknowledgements (-want +got):\n%s", diff)
	}
}

func (b *bench) wantRunning(want *proto.Subpolicy) {
	b.Helper()
	if diff := cmp.Diff(want, b.module.Running(), protocmp.Transform()); diff != "" {
		b.Errorf("in the module (-want +got):\n%s", diff)
	}
}

func (b *bench) wantOnDisk(want *proto.Subpolicy) {
	b.Helper()
	got, _ := b.disk.Load()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		b.Errorf("on disk (-want +got):\n%s", diff)
	}
}

// wantLogged checks how many lines of the log contain text.
func (b *bench) wantLogged(n int, text string) {
	b.Helper()
	b.stop()
	if got := strings.Count(b.log.String(), text); got != n {
		b.Errorf("%q is logged %d times, want %d:\n%s", text, got, n, b.log)
	}
}

func TestOfferIsLoadedKeptAndAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{})
		b.offer(1, sub(3))
		b.wantRunning(sub(3))
		b.wantOnDisk(sub(3))
		b.wantAcks("ack 1/1 version=3")
	})
}

func TestOfferThatTheModuleRefusesLeavesTheOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{})
		b.offer(1, sub(3))
		b.module.FailLoad(errors.New("too many types"))
		b.offer(2, sub(4))
		time.Sleep(time.Minute)
		b.wantRunning(sub(3))
		b.wantOnDisk(sub(3))
		b.wantAcks("ack 1/1 version=3", "nack 1/2 version=3: too many types")
		if diff := cmp.Diff([]uint64{3, 4}, b.module.Loads()); diff != "" {
			t.Errorf("versions tried (-want +got):\n%s", diff)
		}
		want := &proto.HostStatus{
			Host: "mb1", AgentVersion: "1.2.3", Kernel: "6.12", ModuleVersion: agenttest.Version, Nf: "inline",
			PolicyVersion: 3, Rules: 1, OfferedVersion: 4, PolicyError: "too many types",
			Policyd: "policyd1:7400", PolicydConnected: true, UptimeMs: 60000,
		}
		if diff := cmp.Diff(want, b.agent.Status(t.Context()), protocmp.Transform()); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})
}

func TestOfferToABusyModuleIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{})
		for range 3 {
			b.module.FailLoad(errors.Join(errors.New("another loader"), kernel.ErrPasses))
		}
		b.offer(1, sub(3))
		b.wantAcks("nack 1/1 version=0: another loader\ntry again")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		b.wantRunning(sub(3))
		b.wantAcks("ack 1/1 version=3")
	})
}

func TestRestartLeavesAModuleThatRunsThePolicyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, d := agenttest.NewModule(), &disk{}
		b := start(t, m, d)
		b.offer(1, sub(3))
		b.stop()
		b = start(t, m, d)
		time.Sleep(time.Minute)
		b.offer(1, sub(3))
		b.wantAcks("ack 1/1 version=3")
		if diff := cmp.Diff([]uint64{3}, m.Loads()); diff != "" {
			t.Errorf("versions loaded (-want +got):\n%s", diff)
		}
	})
}

func TestRestartLoadsFromDiskIntoAnEmptyModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{sub: sub(3)})
		b.wantRunning(sub(3))
		b.wantAcks()
	})
}

func TestDiskThatFailsIsNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{loadErr: errDisk, saveErr: errDisk})
		b.offer(1, sub(3))
		b.wantRunning(sub(3))
		b.wantAcks("ack 1/1 version=3")
		b.wantLogged(1, `msg="subpolicy on disk not used" error="disk is broken"`)
		b.wantLogged(1, `msg="subpolicy not kept on disk" policy_version=3 error="disk is broken"`)
	})
}

// A subpolicy that the disk had not taken was not saved until the next one
// came: a host that booted meanwhile began with the one before.
func TestDiskThatFailedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{saveErr: errDisk}
		b := start(t, agenttest.NewModule(), d)
		b.offer(1, sub(3))
		time.Sleep(time.Minute)
		b.wantOnDisk(nil)
		d.mend()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.wantOnDisk(sub(3))
		b.wantLogged(1, `msg="subpolicy not kept on disk"`)
	})
}

func TestModuleThatComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := agenttest.NewModule()
		m.Unload()
		b := start(t, m, &disk{})
		b.offer(1, sub(3))
		b.wantAcks("nack 1/1 version=0: no module")
		time.Sleep(time.Hour)
		if got := b.agent.Status(t.Context()).GetPolicyError(); got != "no module" {
			t.Errorf("status says %q, want no module", got)
		}
		m.Reload()
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		b.wantRunning(sub(3))
		b.wantAcks("ack 1/1 version=3")
		for range 2 {
			m.Unload()
			time.Sleep(time.Hour)
			m.Reload()
			time.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			b.wantRunning(sub(3))
			b.wantAcks("nack 1/1 version=0: no module", "ack 1/1 version=3")
		}
		b.wantLogged(3, `msg="subpolicy not in force" error="no module"`)
	})
}

func TestModuleThatIsLoadedAnewBetweenTwoProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{})
		b.offer(1, sub(3))
		b.module.Reload()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		b.wantRunning(sub(3))
		// Its events are followed too.
		b.module.Begin(&proto.Session{Id: id(1)}, false)
		synctest.Wait()
		b.wantLogged(1, "session began")
	})
}

func TestAddressesThatChangeAreRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{})
		time.Sleep(65 * time.Second) // between two looks at the addresses
		if got := b.policyd.resubscribed(); got != 0 {
			t.Errorf("registered anew %d times before the first registration", got)
		}
		want := &proto.SubscribeRequest{Addresses: []string{"10.0.0.2"}, NfTypes: []string{"firewall"}}
		got, _ := b.agent.Registration(t.Context())
		got.Status = nil
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("registration (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		b.mu.Lock()
		b.addresses = append(b.addresses, netip.MustParseAddr("10.0.0.9"))
		b.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := b.policyd.resubscribed(); got != 1 {
			t.Errorf("registered anew %d times after a change, want 1", got)
		}
		if got, _ := b.agent.Registration(t.Context()); len(got.GetAddresses()) != 2 {
			t.Errorf("registration has addresses %v, want both", got.GetAddresses())
		}
		time.Sleep(time.Minute)
		if got := b.policyd.resubscribed(); got != 1 {
			t.Errorf("registered anew %d times, want 1", got)
		}
	})
}
