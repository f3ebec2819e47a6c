// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/agentd/internal/load"
	"mbchain/agentd/internal/probe"
	"mbchain/proto"
)

// meter is a Meter, and a Probe.
type meter struct {
	mu      sync.Mutex
	load    load.Load
	err     error
	watches bool
	found   probe.Result
}

func (m *meter) Look() (load.Load, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.load, m.err
}

func (m *meter) Watches() bool { return m.watches }

func (m *meter) Result() probe.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.found
}

func startReporting(t *testing.T, module *agenttest.Module, m *meter, nfText string) *bench {
	return startWith(t, module, &disk{}, func(c *agent.Config) {
		c.Meter, c.Probe, c.NF = m, m, nf(t, nfText)
	})
}

func TestReportSaysWhatThereIsToSay(t *testing.T) {
	long := strings.Repeat("é", 150) // 300 bytes
	nfCPU := uint32(250)
	tests := []struct {
		name   string
		m      *meter
		module func(*agenttest.Module)
		want   *proto.LoadReport
	}{
		{"no probe, and no processes", &meter{load: load.Load{CPU: 400, NF: 7}}, nil, &proto.LoadReport{CpuPermille: 400}},
		{"processes", &meter{load: load.Load{CPU: 400, NF: 250}, watches: true}, nil, &proto.LoadReport{CpuPermille: 400, NfCpuPermille: &nfCPU}},
		{"a probe that passes", &meter{found: probe.Result{Done: true}}, nil, &proto.LoadReport{Probe: proto.Probe_PROBE_PASSED}},
		{"a probe that fails", &meter{found: probe.Result{Done: true, Failed: true, Why: "no answer"}}, nil,
			&proto.LoadReport{Probe: proto.Probe_PROBE_FAILED, ProbeError: "no answer"}},
		{"a probe that talks", &meter{found: probe.Result{Done: true, Failed: true, Why: long}}, nil,
			&proto.LoadReport{Probe: proto.Probe_PROBE_FAILED, ProbeError: long[:198]}},
		{"no module", &meter{found: probe.Result{Done: true}}, func(m *agenttest.Module) { m.Unload() },
			&proto.LoadReport{Probe: proto.Probe_PROBE_PASSED, Impaired: "the module does not answer"}},
		{"no device for the NF", &meter{found: probe.Result{Done: true}}, func(m *agenttest.Module) { m.FailNF(errDevice) },
			&proto.LoadReport{Probe: proto.Probe_PROBE_PASSED, Impaired: errDevice.Error()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				module := agenttest.NewModule()
				if tt.module != nil {
					tt.module(module)
				}
				b := startReporting(t, module, tt.m, "tap:ids0")
				b.policyd.wants(10 * time.Second)
				time.Sleep(5 * time.Second)
				got := b.policyd.reported()
				if len(got) == 0 {
					t.Fatal("nothing was reported")
				}
				got[0].MaxSessions = 0 // the fake's
				if diff := cmp.Diff(tt.want, got[0], protocmp.Transform()); diff != "" {
					t.Errorf("report (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// policyd says how often; within bounds, whatever it says.
func TestReportsComeAsOftenAsPolicydWants(t *testing.T) {
	for _, tt := range []struct{ next, want time.Duration }{
		{0, 500 * time.Millisecond}, {2 * time.Second, 2 * time.Second}, {24 * time.Hour, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := &meter{}
			b := startReporting(t, agenttest.NewModule(), m, "inline")
			b.policyd.wants(tt.next)
			time.Sleep(5 * time.Second)
			b.policyd.reported()
			time.Sleep(10 * time.Minute)
			got, want := len(b.policyd.reported()), int(10*time.Minute/tt.want)
			if got < want-1 || got > want+1 {
				t.Errorf("%d reports in ten minutes where the next is wanted in %v, want %d", got, tt.next, want)
			}
			time.Sleep(100 * time.Millisecond) // between two
			b.policyd.reported()
			// What the probe finds does not wait.
			m.mu.Lock()
			m.found = probe.Result{Done: true, Failed: true}
			m.mu.Unlock()
			b.agent.ReportNow()
			synctest.Wait()
			if r := b.policyd.reported(); len(r) != 1 || r[0].Probe != proto.Probe_PROBE_FAILED {
				t.Errorf("reported at once: %v", r)
			}
		})
	}
}

// A host that cannot be measured says so once, and tries again.
func TestReportThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meter{err: errors.New("no /proc")}
		b := startReporting(t, agenttest.NewModule(), m, "inline")
		time.Sleep(time.Minute)
		if r := b.policyd.reported(); len(r) > 0 {
			t.Errorf("reported %v", r)
		}
		m.mu.Lock()
		m.err = nil
		m.mu.Unlock()
		time.Sleep(2 * time.Second)
		if len(b.policyd.reported()) == 0 {
			t.Error("nothing was reported though it could be")
		}
		b.wantLogged(1, `msg="load not reported"`)
	})
}
