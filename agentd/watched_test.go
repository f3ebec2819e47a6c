// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"

	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/monitor/monitortest"
)

// eventuallyPage waits until a page has code and text.
func eventuallyPage(t *testing.T, address, path string, code int, text string) {
	t.Helper()
	eventually(t, path+" with "+text, func() bool {
		got, body := monitortest.Page(t, address, path)
		return got == code && strings.Contains(body, text)
	})
}

func TestAgentdIsWatched(t *testing.T) {
	pd, m := startPolicyd(t, subpolicy()), agenttest.NewModule()
	address := monitortest.FreeAddress(t)
	startAgentd(t, t.TempDir(), pd.address, m, "--metrics", address)
	pd.wantAck(t)
	eventuallyPage(t, address, "/readyz", 200, "ready")
	eventuallyPage(t, address, "/metrics", 200, "mbchain_agentd_policy_version 7")
	for _, text := range []string{
		"mbchain_agentd_module_present 1", "mbchain_agentd_policyd_connected 1",
		`mbchain_agentd_nf_type_info{nf_type="firewall"} 1`, `mbchain_agentd_migrations_begun_total{guarantee="ordered"} 0`,
		`mbchain_agentd_setup_duration_seconds_count{origin="own",outcome="done"} 0`, "mbchain_agentd_migrations_window 8",
	} {
		if _, body := monitortest.Page(t, address, "/metrics"); !strings.Contains(body, text) {
			t.Errorf("metrics lack %s:\n%s", text, body)
		}
	}
	m.Unload()
	eventuallyPage(t, address, "/metrics", 200, "mbchain_agentd_module_present 0")
	eventuallyPage(t, address, "/readyz", 503, "the kernel module does not answer: no module")
	if code, _ := monitortest.Page(t, address, "/healthz"); code != 200 {
		t.Errorf("healthz: code %d", code)
	}
}

// Two agents of one machine, in namespaces or in tests, have the same default.
func TestDefaultPortForMetricsMayBeTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:7302")
	if err == nil {
		defer l.Close()
	}
	a := startAgentd(t, t.TempDir(), nobody, agenttest.NewModule())
	local, done := a.local()
	defer done()
	eventually(t, "an answer on the socket", func() bool { return status(t, local) })
	a.wantLogged(`no metrics: give --metrics another address`)
}

func TestChosenPortForMetricsMustBeFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	var out bytes.Buffer
	status := start(t.Context(), []string{
		"agentd", "--name", "mb1", "--policyd", nobody, "--socket", dir + "/sock", "--state", dir + "/state",
		"--metrics", l.Addr().String(),
	}, &out, &out, agenttest.NewModule())
	if status != 1 || !strings.Contains(out.String(), "(--metrics says where)") {
		t.Errorf("status %d:\n%s", status, &out)
	}
}

func TestLogAsJSON(t *testing.T) {
	a := startAgentd(t, t.TempDir(), nobody, agenttest.NewModule(), "--log-format", "json", "--metrics", "")
	local, done := a.local()
	defer done()
	eventually(t, "an answer on the socket", func() bool { return status(t, local) })
	a.stop()
	started := false
	for line := range strings.Lines(a.stderr.String()) {
		var event struct{ Time, Level, Msg, Host string }
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Time == "" || event.Level == "" || event.Msg == "" {
			t.Errorf("error %v of line %s", err, line)
		}
		started = started || event.Msg == "started" && event.Host == "mb1"
	}
	if !started {
		t.Errorf("no line says started:\n%s", a.stderr)
	}
}

func TestProfilesOfAgentd(t *testing.T) {
	path := t.TempDir() + "/debug.sock"
	startAgentd(t, t.TempDir(), nobody, agenttest.NewModule(), "--debug-socket", path, "--metrics", "")
	eventually(t, "a profile", func() bool {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return false
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET /debug/pprof/cmdline HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		b, _ := io.ReadAll(conn)
		return strings.HasPrefix(string(b), "HTTP/1.1 200")
	})
}
