// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"mbchain/policyd/internal/health"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

const twoFirewalls = "type fw { mb1 10.0.0.2, mb3 10.0.0.5 }\nmatch(any) >> {fw}\n"

// nfs are the calls about instances.
func (b *bench) nfs() protoconnect.NFServiceClient {
	return protoconnect.NewNFServiceClient(b.http, "http://policyd")
}

// listed is "mb1 ok 1, mb3 drained -": instances with state and share.
func (b *bench) listed() string {
	b.t.Helper()
	got, err := b.nfs().List(b.t.Context(), &proto.ListNFsRequest{})
	if err != nil {
		b.t.Fatal(err)
	}
	var list []string
	for _, in := range got.Instances {
		share := "-"
		if in.Chosen {
			share = fmt.Sprint(in.Share)
		}
		list = append(list, fmt.Sprintf("%s %s %s", in.Host, in.State, share))
	}
	return strings.Join(list, ", ")
}

// watcher follows what a host is pushed.
type watcher struct {
	mu    sync.Mutex
	types string // of the newest subpolicy: "10.0.0.2:1 10.0.0.5:1"
	count int    // subpolicies
	at    time.Time
}

func (b *bench) watch(name, address string) *watcher {
	w := &watcher{}
	a := b.subscribe(name, address)
	go func() {
		for p := a.next(); p != nil; p = a.next() {
			sub := p.GetSubpolicy()
			if sub == nil {
				continue
			}
			var list []string
			for _, t := range sub.Types {
				for _, in := range t.Instances {
					list = append(list, fmt.Sprintf("%s:%d", in.Address, in.Weight))
				}
			}
			w.mu.Lock()
			w.types, w.at = strings.Join(list, " "), time.Now()
			w.count++
			w.mu.Unlock()
			_, _ = b.agents.Acknowledge(b.t.Context(), &proto.AcknowledgeRequest{Host: name, Nonce: p.Nonce, Version: sub.Version})
		}
	}()
	return w
}

func (w *watcher) seen() (string, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.types, w.count
}

// reporter reports for a host as an agent does, until it is stopped.
type reporter struct {
	mu   sync.Mutex
	load *proto.LoadReport // nil: it is frozen
	stop chan struct{}
	done chan struct{}
}

// report starts a reporter: load is what it says until it is told to say another.
func (b *bench) report(name string, load *proto.LoadReport) *reporter {
	r := &reporter{load: load, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		pause := time.Duration(0)
		for {
			select {
			case <-r.stop:
				return
			case <-time.After(pause):
			}
			pause = health.ReportEvery
			r.mu.Lock()
			load := r.load
			r.mu.Unlock()
			if load == nil {
				continue
			}
			answer, err := b.agents.Report(b.t.Context(), &proto.ReportRequest{Host: name, Load: load})
			if err == nil {
				pause = time.Duration(answer.NextMs) * time.Millisecond
			}
		}
	}()
	b.t.Cleanup(r.end)
	return r
}

func (r *reporter) end() {
	select {
	case <-r.stop:
	default:
		close(r.stop)
	}
	<-r.done
}

func (r *reporter) says(load *proto.LoadReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.load = load
}

// In 3 s from the fact new sessions have turned away, and they come back without flapping.
func TestNewSessionsTurnAway(t *testing.T) {
	fine := &proto.LoadReport{CpuPermille: 100, MaxSessions: 1000}
	tests := []struct {
		name  string
		load  *proto.LoadReport // nil: the agent is frozen
		state string
	}{
		{"a probe fails", &proto.LoadReport{Probe: proto.Probe_PROBE_FAILED, ProbeError: "no answer", MaxSessions: 1000}, "failed"},
		{"it is overloaded", &proto.LoadReport{CpuPermille: 980, MaxSessions: 1000, TooBusyPermille: 900}, "overloaded"},
		{"its table is full", &proto.LoadReport{Sessions: 990, MaxSessions: 1000}, "overloaded"},
		{"its agent is frozen", nil, "silent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				b.apply(twoFirewalls)
				client := b.watch("client", "10.0.0.1")
				b.watch("mb1", "10.0.0.2")
				b.watch("mb3", "10.0.0.5")
				mb1 := b.report("mb1", fine)
				b.report("mb3", fine)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if types, _ := client.seen(); types != "10.0.0.2:1 10.0.0.5:1" {
					t.Fatalf("the client has %s", types)
				}
				if got, want := b.listed(), "mb1 ok 1, mb3 ok 1"; got != want {
					t.Errorf("listed %s, want %s", got, want)
				}
				mb1.says(tt.load)
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if types, _ := client.seen(); types != "10.0.0.5:1" {
					t.Errorf("after 3 s the client has %s", types)
				}
				if got, want := b.listed(), "mb1 "+tt.state+" -, mb3 ok 1"; got != want {
					t.Errorf("listed %s, want %s", got, want)
				}
				mb1.says(fine)
				_, before := client.seen()
				time.Sleep(time.Minute)
				synctest.Wait()
				if types, n := client.seen(); types != "10.0.0.2:1 10.0.0.5:1" || n != before+1 {
					t.Errorf("a minute later the client has %s, by %d pushes, want one", types, n-before)
				}
			})
		})
	}
}

func TestInstanceWhoseAgentIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.apply(twoFirewalls)
		client := b.watch("client", "10.0.0.1")
		mb1 := b.subscribe("mb1", "10.0.0.2")
		b.watch("mb3", "10.0.0.5")
		time.Sleep(10 * time.Second)
		mb1.leave()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if types, _ := client.seen(); types != "10.0.0.5:1" {
			t.Errorf("3 s after mb1's agent went the client has %s", types)
		}
		// Silence says little of the NF: where nobody is heard of, all goes on.
		b.apply("type fw { mb1 10.0.0.2 }\nmatch(any) >> {fw}\n")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if types, _ := client.seen(); types != "10.0.0.2:1" {
			t.Errorf("the client has %q, want the only instance", types)
		}
	})
}

// A policyd that leads anew has heard of nobody, and gives everybody the time to come.
func TestNewLeaderWaitsForAgents(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.apply(twoFirewalls)
		for name, address := range map[string]string{"mb1": "10.0.0.2", "mb3": "10.0.0.5"} {
			b.watch(name, address)
		}
		b.watch("client", "10.0.0.1")
		time.Sleep(10 * time.Second)
		b.hub.Follow()
		state, _ := b.cluster.State()
		b.hub.Lead(state)
		client := b.watch("client", "10.0.0.1")
		b.watch("mb3", "10.0.0.5")
		time.Sleep(time.Second)
		synctest.Wait()
		if types, _ := client.seen(); types != "10.0.0.2:1 10.0.0.5:1" {
			t.Errorf("a second after the change of leaders the client has %s", types)
		}
		b.watch("mb1", "10.0.0.2")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if types, n := client.seen(); types != "10.0.0.2:1 10.0.0.5:1" || n != 1 {
			t.Errorf("the client has %s by %d pushes, want one", types, n)
		}
	})
}

func TestDrainAndUndrain(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.apply(twoFirewalls + "type ids { mb1 10.0.0.2 }\n")
		client := b.watch("client", "10.0.0.1")
		b.watch("mb1", "10.0.0.2")
		b.watch("mb3", "10.0.0.5")
		steps := []struct {
			name      string
			end       bool
			host, typ string
			code      connect.Code // 0: none
			unchanged bool
			types     string
			listed    string
		}{
			{"one instance", false, "mb1", "fw", 0, false, "10.0.0.5:1", "mb1 drained -, mb3 ok 1, mb1 ok 1"},
			{"again", false, "mb1", "fw", 0, true, "10.0.0.5:1", "mb1 drained -, mb3 ok 1, mb1 ok 1"},
			{"the whole host", false, "mb1", "", 0, false, "10.0.0.5:1", "mb1 drained -, mb3 ok 1, mb1 drained -"},
			{"the last one", false, "mb3", "", 0, false, "", "mb1 drained -, mb3 drained -, mb1 drained -"},
			{"not for itself", true, "mb3", "fw", connect.CodeFailedPrecondition, false, "", "mb1 drained -, mb3 drained -, mb1 drained -"},
			{"back", true, "mb1", "", 0, false, "10.0.0.2:1", "mb1 ok 1, mb3 drained -, mb1 ok 1"},
			{"nobody of the name", false, "mb7", "", connect.CodeNotFound, false, "10.0.0.2:1", "mb1 ok 1, mb3 drained -, mb1 ok 1"},
			{"no such instance", false, "mb3", "ids", connect.CodeNotFound, false, "10.0.0.2:1", "mb1 ok 1, mb3 drained -, mb1 ok 1"},
			{"no name", false, "MB 1", "", connect.CodeInvalidArgument, false, "10.0.0.2:1", "mb1 ok 1, mb3 drained -, mb1 ok 1"},
		}
		time.Sleep(time.Second)
		for _, step := range steps {
			call := b.nfs().Drain
			if step.end {
				call = b.nfs().Undrain
			}
			got, err := call(t.Context(), &proto.DrainRequest{Host: step.host, Type: step.typ})
			if step.code != 0 {
				wantCode(t, err, step.code)
			} else if err != nil || got.Unchanged != step.unchanged {
				t.Errorf("%s: unchanged %t, error %v", step.name, got.GetUnchanged(), err)
			}
			synctest.Wait()
			if types, _ := client.seen(); types != step.types {
				t.Errorf("%s: the client has %q at once, want %q", step.name, types, step.types)
			}
			if got := b.listed(); got != step.listed {
				t.Errorf("%s: listed %s, want %s", step.name, got, step.listed)
			}
		}
		e, err := b.policy.Explain(t.Context(), &proto.ExplainRequest{Tuple: &proto.Tuple{
			Source: "10.0.0.1", Destination: "10.0.0.9", SourcePort: 1, DestinationPort: 80, Protocol: 6}})
		if why := strings.Join(e.GetWhy(), "\n"); err != nil || !strings.Contains(why, "mb3 10.0.0.5 gets no new sessions: drained by") {
			t.Errorf("explained, error %v:\n%s", err, why)
		}
	})
}

// A report is looked at before it counts.
func TestReportsAreChecked(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.watch("mb1", "10.0.0.2")
		synctest.Wait()
		for _, tt := range []struct {
			name string
			r    *proto.ReportRequest
			code connect.Code
		}{
			{"of nobody", &proto.ReportRequest{Host: "MB1", Load: &proto.LoadReport{}}, connect.CodeInvalidArgument},
			{"of who is not connected", &proto.ReportRequest{Host: "mb9", Load: &proto.LoadReport{}}, connect.CodeFailedPrecondition},
			{"empty", &proto.ReportRequest{Host: "mb1"}, connect.CodeInvalidArgument},
			{"of more than all", &proto.ReportRequest{Host: "mb1", Load: &proto.LoadReport{CpuPermille: 1001}}, connect.CodeInvalidArgument},
			{"of an unknown probe", &proto.ReportRequest{Host: "mb1", Load: &proto.LoadReport{Probe: 9}}, connect.CodeInvalidArgument},
			{"of a long error", &proto.ReportRequest{Host: "mb1", Load: &proto.LoadReport{ProbeError: strings.Repeat("x", 201)}}, connect.CodeInvalidArgument},
			{"that rings a bell", &proto.ReportRequest{Host: "mb1", Load: &proto.LoadReport{ProbeError: "ding\a"}}, connect.CodeInvalidArgument},
		} {
			if _, err := b.agents.Report(t.Context(), tt.r); err == nil || connect.CodeOf(err) != tt.code {
				t.Errorf("report %s: error %v, want %v", tt.name, err, tt.code)
			}
		}
		// Who is no instance has little to tell.
		got, err := b.agents.Report(t.Context(), &proto.ReportRequest{Host: "mb1", Load: &proto.LoadReport{}})
		if err != nil || got.NextMs != uint32(health.SeldomEvery.Milliseconds()) {
			t.Errorf("answer %v, error %v", got, err)
		}
	})
}

// leastLoaded weights follow the reports, and not at every one of them.
func TestLeastLoadedFollowsReports(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.apply("type fw { mb1 10.0.0.2, mb3 10.0.0.5 weight 2 } choose least-loaded\nmatch(any) >> {fw}\n")
		client := b.watch("client", "10.0.0.1")
		b.watch("mb1", "10.0.0.2")
		b.watch("mb3", "10.0.0.5")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if types, _ := client.seen(); types != "10.0.0.2:8 10.0.0.5:16" {
			t.Errorf("before any report the client has %s", types)
		}
		mb1 := b.report("mb1", &proto.LoadReport{CpuPermille: 750})
		b.report("mb3", &proto.LoadReport{CpuPermille: 250})
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if types, n := client.seen(); types != "10.0.0.2:4 10.0.0.5:24" || n > 3 {
			t.Errorf("the client has %s after %d pushes, want 10.0.0.2:4 10.0.0.5:24 after 3 at most", types, n)
		}
		_, before := client.seen()
		for i := range uint32(60) { // a load that changes wildly changes weights every five seconds at most
			mb1.says(&proto.LoadReport{CpuPermille: 1000 * (i / 4 % 2)})
			time.Sleep(500 * time.Millisecond)
		}
		synctest.Wait()
		if _, n := client.seen(); n == before || n-before > 7 {
			t.Errorf("%d pushes in 30 s, want some and seven at most", n-before)
		}
		mb1.says(&proto.LoadReport{CpuPermille: 750})
		time.Sleep(20 * time.Second)
		synctest.Wait()
		_, before = client.seen()
		for i := range uint32(60) {
			mb1.says(&proto.LoadReport{CpuPermille: 730 + 40*(i%2)})
			time.Sleep(500 * time.Millisecond)
		}
		synctest.Wait()
		if _, n := client.seen(); n != before {
			t.Errorf("%d pushes by noise", n-before)
		}
	})
}

// Where policyd decides, each host has the instance that was decided for it alone, until
// that gets no new sessions any more.
func TestPolicydDecidesForEachHost(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.apply("type fw { mb1 10.0.0.2, mb3 10.0.0.5 } decide policyd\nmatch(any) >> {fw}\n")
		b.watch("mb1", "10.0.0.2")
		b.watch("mb3", "10.0.0.5")
		clients := map[string]*watcher{}
		for i := range 8 {
			name := fmt.Sprintf("client%d", i)
			clients[name] = b.watch(name, fmt.Sprintf("10.0.1.%d", i+1))
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		counts, before := map[string]int{}, map[string]string{}
		for name, w := range clients {
			types, _ := w.seen()
			counts[types]++
			before[name] = types
			host, _, _ := strings.Cut(types, ":")
			e, err := b.policy.Explain(t.Context(), &proto.ExplainRequest{Tuple: &proto.Tuple{
				Source: "10.0.1." + fmt.Sprint(name[6]-'0'+1), Destination: "10.0.1.1", SourcePort: 1, DestinationPort: 80, Protocol: 6}})
			if err != nil || e.Hops[0].Address != host {
				t.Errorf("%s has %s, explained %v, error %v", name, types, e.GetHops(), err)
			}
		}
		if counts["10.0.0.2:1"] == 0 || counts["10.0.0.5:1"] == 0 || len(counts) != 2 {
			t.Errorf("hosts have %v, want one of two each", counts)
		}
		if _, err := b.nfs().Drain(t.Context(), &proto.DrainRequest{Host: "mb1"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for name, w := range clients {
			if types, n := w.seen(); types != "10.0.0.5:1" || before[name] == types && n > 9 {
				t.Errorf("%s has %s after %d pushes", name, types, n)
			}
		}
	})
}
