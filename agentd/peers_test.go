// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/agentd/internal/peer"
	"mbchain/agentd/internal/peer/peertest"
	"mbchain/agentd/internal/session"
	"mbchain/chain"
	"mbchain/proto"
)

// tlsArgs are those of an agentd with certificates, on a free port of loopback.
func tlsArgs(t *testing.T, files peer.Files) []string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return []string{
		"--peer-listen", conn.LocalAddr().String(),
		"--tls-ca", files.CA, "--tls-cert", files.Cert, "--tls-key", files.Key,
	}
}

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
	a := startAgentd(t, t.TempDir(), nobody, m)
	eventually(t, "refusal", func() bool { return m.Setup(waiting().ID) == chain.SetupBlocked })
	if m.SetupListened() {
		t.Error("it undertook to set sessions up")
	}
	if status := a.status(); status.GetOutOfBand() {
		t.Errorf("status says that it can: %v", status)
	}
	a.wantLogged("set-up out-of-band is off, so UDP sessions are not chained: say --tls-ca, --tls-cert and --tls-key")
}

func TestAgentdWithCertificatesSetsUp(t *testing.T) {
	m, files := agenttest.NewModule(), peertest.NewCA(t).Issue(t, t.TempDir(), nil, "10.0.0.2")
	m.SetPeers([]*proto.Peer{{Address: "10.0.0.3", Sessions: 1}})
	a := startAgentd(t, t.TempDir(), nobody, m, tlsArgs(t, files)...)
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
	m, files := agenttest.NewModule(), peertest.NewCA(t).Issue(t, t.TempDir(), nil, "10.0.0.2")
	address := freeAddress(t)
	startAgentd(t, t.TempDir(), nobody, m, append(tlsArgs(t, files), "--metrics", address)...)
	eventually(t, "undertaking", m.SetupListened)
	// A module that it has not looked at is not known to be another one.
	eventuallyPage(t, address, "/metrics", 200, "mbchain_agentd_module_present 1")
	m.Unload()
	m.Reload()
	eventually(t, "undertaking for the new module", m.SetupListened)
}

func TestAgentdWarnsOfItsCertificate(t *testing.T) {
	expired := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	files := peertest.NewCA(t).Issue(t, t.TempDir(), expired, "10.0.0.9")
	m := agenttest.NewModule()
	a := startAgentd(t, t.TempDir(), nobody, m, tlsArgs(t, files)...)
	eventually(t, "undertaking", m.SetupListened)
	a.wantLogged("certificate has expired")
	a.wantLogged(`certificate lacks addresses of this host, from which UDP sessions will be refused" addresses=[10.0.0.2]`)
}

func TestAgentdSaysWhatItsCertificatesLack(t *testing.T) {
	files := peertest.NewCA(t).Issue(t, t.TempDir(), nil, "10.0.0.2")
	good := tlsArgs(t, files)
	busy, err := net.ListenPacket("udp", good[1])
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	missing := append([]string(nil), good...)
	missing[7] = "/nowhere/key.pem"
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no file", missing,
			"agentd: read key: open /nowhere/key.pem: no such file or directory (docs/OPERATIONS.md says how to make certificates)\n"},
		{"port taken", good, "bind: address already in use (--peer-listen says where)\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			args := append([]string{
				"agentd", "--name", "mb1", "--address", "10.0.0.2", "--policyd", nobody,
				"--socket", filepath.Join(dir, "sock"), "--state", filepath.Join(dir, "state"),
			}, test.args...)
			var out bytes.Buffer
			if status := start(context.Background(), args, &out, &out, agenttest.NewModule()); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			if !strings.HasSuffix(out.String(), test.want) {
				t.Errorf("output %q, want ...%q", out.String(), test.want)
			}
		})
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
