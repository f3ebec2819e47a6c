// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/agentd/internal/session"
	"mbchain/chain"
	"mbchain/identity"
	"mbchain/identity/keep"
	"mbchain/monitor/monitortest"
	"mbchain/proto"
)

// waiting is a session of the client with nobody to its right.
func waiting() session.Part {
	tuple, err := chain.ParseFiveTuple("10.0.0.2:40000 > 10.0.0.4:53 udp")
	if err != nil {
		panic(err)
	}
	return session.Part{
		ID: chain.SessionID{1}, Super: tuple, Right: tuple, Hops: []netip.Addr{netip.MustParseAddr("127.0.0.77")},
	}
}

func TestAgentdWithoutCertificatesRefuses(t *testing.T) {
	m := agenttest.NewModule()
	m.Want(waiting(), true)
	a := startStranger(t, t.TempDir(), nobody, m)
	eventually(t, "refusal", func() bool { return m.Setup(waiting().ID) == chain.SetupBlocked })
	if m.SetupListened() {
		t.Error("it undertook to set sessions up")
	}
	if status := a.status(); status.GetOutOfBand() {
		t.Errorf("status says that it can: %v", status)
	}
	a.wantLogged("give agentd --token-file FILE")
}

func TestAgentdWithCertificatesSetsUp(t *testing.T) {
	m := agenttest.NewModule()
	m.SetPeers([]*proto.Peer{{Address: "10.0.0.3", Sessions: 1}})
	a := startAgentd(t, t.TempDir(), nobody, m)
	eventually(t, "undertaking", m.SetupListened)
	status := a.status()
	if !status.GetOutOfBand() || len(status.GetPeers()) != 1 {
		t.Errorf("status %v", status)
	}
	m.Want(waiting(), false)
	eventually(t, "give up on a host that is away", func() bool { return m.Setup(waiting().ID) == chain.SetupBlocked })
	a.wantLogged("neighbour not reached")
	if text := a.stderr.String(); strings.Contains(text, "certificate") {
		t.Errorf("log complains of the certificate:\n%s", text)
	}
}

func TestAgentdUndertakesItForANewModule(t *testing.T) {
	m, address := agenttest.NewModule(), monitortest.FreeAddress(t)
	startAgentd(t, t.TempDir(), nobody, m, "--metrics", address)
	eventually(t, "undertaking", m.SetupListened)
	// A module that it has not looked at is not known to be another one.
	eventuallyPage(t, address, "/metrics", 200, "mbchain_agentd_module_present 1")
	m.Unload()
	m.Reload()
	eventually(t, "undertaking for the new module", m.SetupListened)
}

func TestAgentdJoinsWithAToken(t *testing.T) {
	pd, m, dir := startPolicyd(t, subpolicy()), agenttest.NewModule(), t.TempDir()
	token := identity.NewToken()
	token.CA = domain().Fingerprint()
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte(token.Text()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := startStranger(t, dir, pd.address, m, "--token-file", file)
	join := <-pd.joins
	request, err := identity.ParseRequest(join.Request)
	if err != nil {
		t.Fatal(err)
	}
	if request.Subject.Name != "mb1" || request.Addresses[0].String() != "10.0.0.2" || join.TokenId != token.ID() {
		t.Errorf("asked for %+v with %s", request, join.TokenId)
	}
	pd.wantAck(t)
	eventually(t, "undertaking", m.SetupListened)
	a.wantLogged("msg=joined")
	if strings.Contains(a.stderr.String(), token.Text()) {
		t.Error("the token is in the log")
	}
	// It is a member now, and needs no token any more.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	startStranger(t, dir, pd.address, agenttest.NewModule())
	pd.wantAck(t)
}

func TestAgentdRefusesAnotherHostsIdentity(t *testing.T) {
	dir := t.TempDir()
	if err := keep.Save(identityFile(dir), certify(t, identity.Agent, "mb2", "10.0.0.2")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	args := []string{"agentd", "--name", "mb1", "--address", "10.0.0.2", "--policyd", nobody,
		"--socket", filepath.Join(dir, "sock"), "--state", filepath.Join(dir, "state")}
	if status := start(t.Context(), args, &out, &out, agenttest.NewModule()); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if !strings.Contains(out.String(), "is that of agent mb2, not of agent mb1: move it away and join again") {
		t.Errorf("output %s", &out)
	}
}

func TestAgentdSaysThatItsPortIsTaken(t *testing.T) {
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	dir := t.TempDir()
	if err := keep.Save(identityFile(dir), certify(t, identity.Agent, "mb1", "10.0.0.2")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	args := []string{"agentd", "--name", "mb1", "--address", "10.0.0.2", "--policyd", nobody, "--peer-listen", busy.LocalAddr().String(),
		"--socket", filepath.Join(dir, "sock"), "--state", filepath.Join(dir, "state")}
	if status := start(t.Context(), args, &out, &out, agenttest.NewModule()); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if want := "bind: address already in use (--peer-listen says where)\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("output %q, want ...%q", out.String(), want)
	}
}

// status asks the agent's socket.
func (p *process) status() *proto.HostStatus {
	p.Helper()
	local, done := p.local()
	defer done()
	var status *proto.HostStatus
	eventually(p.T, "the agent's socket", func() bool {
		answer, err := local.GetStatus(p.Context(), &proto.GetLocalStatusRequest{})
		status = answer.GetStatus()
		return err == nil
	})
	return status
}
