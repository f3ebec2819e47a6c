// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/identity"
	"mbchain/identity/keep"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// nobody is a port where no policyd is.
const nobody = "127.0.0.1:1"

// process is an agentd that runs in this one.
type process struct {
	*testing.T
	socket string
	stderr *bytes.Buffer // read it only after stop
	stop   func()
}

// startAgentd runs an agentd with its files in dir until the test ends. The host is
// a member of the domain already.
func startAgentd(t *testing.T, dir, policyd string, m *agenttest.Module, more ...string) *process {
	t.Helper()
	path := identityFile(dir)
	if _, err := os.Stat(path); err != nil {
		if err := keep.Save(path, certify(t, identity.Agent, "mb1", "10.0.0.2")); err != nil {
			t.Fatal(err)
		}
	}
	return startStranger(t, dir, policyd, m, more...)
}

func identityFile(dir string) string { return filepath.Join(dir, "state", "identity.pem") }

// freePort returns an address for --peer-listen.
func freePort(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}

// startStranger is startAgentd for a host that may have to join first.
func startStranger(t *testing.T, dir, policyd string, m *agenttest.Module, more ...string) *process {
	t.Helper()
	p := &process{T: t, socket: filepath.Join(dir, "sock"), stderr: new(bytes.Buffer)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	args := []string{
		"agentd", "--name", "mb1", "--address", "10.0.0.2", "--nf-type", "firewall",
		"--policyd", policyd, "--socket", p.socket, "--state", filepath.Join(dir, "state"),
		"--peer-listen", freePort(t),
	}
	args = append(args, more...)
	go func() { ended <- start(ctx, args, p.stderr, p.stderr, m) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("agentd: exit status %d:\n%s", status, p.stderr)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// local returns a client of the agent's socket, and what gives its connections
// back.
func (p *process) local() (protoconnect.LocalServiceClient, func()) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.socket)
	}}
	return protoconnect.NewLocalServiceClient(&http.Client{Transport: transport}, "http://agentd"),
		transport.CloseIdleConnections
}

// status reports whether the agent answers.
func status(t *testing.T, local protoconnect.LocalServiceClient) bool {
	_, err := local.GetStatus(t.Context(), &proto.GetLocalStatusRequest{})
	return err == nil
}

// wantLogged checks that the log contains text.
func (p *process) wantLogged(text string) {
	p.Helper()
	p.stop()
	if !strings.Contains(p.stderr.String(), text) {
		p.Errorf("log does not contain %q:\n%s", text, p.stderr)
	}
}

// eventually waits until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func subpolicy() *proto.Subpolicy {
	return &proto.Subpolicy{
		Version: 7,
		Seed:    []byte("seedseedseedseed"),
		Keys:    []*proto.SetupKey{{Id: 1, Secret: []byte("kkkkkkkkkkkkkkkk")}},
		Rules:   []*proto.Rule{{Number: 1, Predicate: "any"}},
	}
}

// wantAck checks that policyd is told that the subpolicy is in force.
func (p *policyd) wantAck(t *testing.T) {
	t.Helper()
	want := &proto.AcknowledgeRequest{Host: "mb1", Nonce: 1, Version: 7}
	if diff := cmp.Diff(want, <-p.acks, protocmp.Transform()); diff != "" {
		t.Fatalf("acknowledgement (-want +got):\n%s", diff)
	}
}

func TestAgentdFromOfferToAnswer(t *testing.T) {
	pd, m := startPolicyd(t, subpolicy()), agenttest.NewModule()
	a := startAgentd(t, t.TempDir(), pd.address, m)
	registration := <-pd.subscribed
	registration.Status = nil
	want := &proto.SubscribeRequest{Host: "mb1", Addresses: []string{"10.0.0.2"}, NfTypes: []string{"firewall"}, TakesChanges: true}
	if diff := cmp.Diff(want, registration, protocmp.Transform()); diff != "" {
		t.Errorf("registration (-want +got):\n%s", diff)
	}
	pd.wantAck(t)
	if diff := cmp.Diff(subpolicy(), m.Running(), protocmp.Transform()); diff != "" {
		t.Errorf("in the module (-want +got):\n%s", diff)
	}

	session := &proto.Session{Id: make([]byte, 16), State: "established"}
	m.Begin(session, false)
	wantSession := &proto.Session{Id: make([]byte, 16), State: "established", Host: "mb1"}
	pd.queries <- &proto.Query{Body: &proto.Query_Sessions{Sessions: &proto.SessionQuery{}}}
	wantAnswer := &proto.AnswerRequest{Host: "mb1", Nonce: 2, Sessions: []*proto.Session{wantSession}}
	if diff := cmp.Diff(wantAnswer, <-pd.answers, protocmp.Transform()); diff != "" {
		t.Errorf("answer to policyd (-want +got):\n%s", diff)
	}

	local, done := a.local()
	defer done()
	listed, err := local.ListSessions(t.Context(), &proto.ListSessionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	wantList := &proto.ListSessionsResponse{Sessions: []*proto.Session{wantSession}}
	if diff := cmp.Diff(wantList, listed, protocmp.Transform()); diff != "" {
		t.Errorf("answer on the socket (-want +got):\n%s", diff)
	}
	status, err := local.GetStatus(t.Context(), &proto.GetLocalStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	wantStatus := &proto.HostStatus{
		Host: "mb1", AgentVersion: "dev", ModuleVersion: agenttest.Version, Nf: "inline", OutOfBand: true, Kernel: kernelRelease(),
		Sessions: 1, PolicyVersion: 7, OfferedVersion: 7, Rules: 1,
		Policyd: pd.address, PolicydConnected: true,
	}
	diff := cmp.Diff(wantStatus, status.GetStatus(), protocmp.Transform(),
		protocmp.IgnoreFields(&proto.HostStatus{}, "uptime_ms"))
	if diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	a.wantLogged("stopped; the module runs on")
	if diff := cmp.Diff(subpolicy(), m.Running(), protocmp.Transform()); diff != "" {
		t.Errorf("in the module after the agent ended (-want +got):\n%s", diff)
	}
}

func TestAgentdTellsPolicydWhatTheModuleRefuses(t *testing.T) {
	pd, m := startPolicyd(t, subpolicy()), agenttest.NewModule()
	m.FailLoad(errors.New("commit policy: invalid: rule 1 has no type 3"))
	startAgentd(t, t.TempDir(), pd.address, m)
	want := &proto.AcknowledgeRequest{
		Host: "mb1", Nonce: 1, Error: "commit policy: invalid: rule 1 has no type 3",
	}
	if diff := cmp.Diff(want, <-pd.acks, protocmp.Transform()); diff != "" {
		t.Errorf("acknowledgement (-want +got):\n%s", diff)
	}
}

func TestAgentdBootsFromDiskWithoutPolicyd(t *testing.T) {
	dir := t.TempDir()
	pd := startPolicyd(t, subpolicy())
	a := startAgentd(t, dir, pd.address, agenttest.NewModule())
	pd.wantAck(t)
	a.stop()

	m := agenttest.NewModule()
	startAgentd(t, dir, nobody, m)
	eventually(t, "subpolicy of the disk in the module", func() bool { return m.Running().GetVersion() == 7 })
	if diff := cmp.Diff(subpolicy(), m.Running(), protocmp.Transform()); diff != "" {
		t.Errorf("in the module (-want +got):\n%s", diff)
	}
}

func TestAgentdSetsADamagedRecordAside(t *testing.T) {
	dir := t.TempDir()
	record := filepath.Join(dir, "state", "subpolicy")
	if err := os.MkdirAll(filepath.Dir(record), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	pd := startPolicyd(t, subpolicy())
	a := startAgentd(t, dir, pd.address, agenttest.NewModule())
	pd.wantAck(t)
	if _, err := os.Stat(record + ".bad"); err != nil {
		t.Error(err)
	}
	a.wantLogged("unreadable record: 7 bytes")
}

func TestAgentdDoesNotStartTwice(t *testing.T) {
	dir := t.TempDir()
	a := startAgentd(t, dir, nobody, agenttest.NewModule())
	eventually(t, "the first agentd's socket", func() bool {
		_, err := os.Stat(a.socket)
		return err == nil
	})
	tests := []struct{ name, state, socket, want string }{
		{"same state", "state", "sock2", "lock state directory " + dir + "/state: in use by another agentd"},
		{"same socket", "state2", "sock", "listen on " + dir + "/sock: another agentd is running"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := &config{
				name: "mb1", policyd: []string{nobody},
				socket: filepath.Join(dir, test.socket), state: filepath.Join(dir, test.state),
			}
			err := run(t.Context(), cfg, t.Output(), agenttest.NewModule())
			if err == nil || err.Error() != test.want {
				t.Errorf("run: %v, want %s", err, test.want)
			}
		})
	}
}
