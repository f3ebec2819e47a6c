// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// freeAddress is one where nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// page gets a page of policyd; the code is 0 while nobody answers.
func page(t *testing.T, address, path string) (code int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestPolicydIsWatched(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	debug := filepath.Join(dir, "debug.sock")
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- start(ctx, []string{
			"policyd", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--metrics", address, "--debug-socket", debug,
		}, &out, &out)
	}()
	stop := func() {
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("status %d:\n%s", status, &out)
		}
	}
	defer stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(readyWithin); ; <-poll.C {
		code, body := page(t, address, "/readyz")
		if code == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: code %d, %s", code, body)
		}
	}
	_, body := page(t, address, "/metrics")
	for _, text := range []string{
		`mbchain_policyd_raft_state{state="leader"} 1`, "mbchain_policyd_raft_leader_known 1", "mbchain_policyd_raft_peers 0",
		"mbchain_policyd_policy_version 0", "mbchain_policyd_hosts 0", `mbchain_policyd_build_info{goversion="`,
		"mbchain_policyd_policy_spread_seconds_count 0",
	} {
		if !strings.Contains(body, text) {
			t.Errorf("metrics lack %s:\n%s", text, body)
		}
	}
	if code, _ := page(t, address, "/debug/pprof/"); code != 404 {
		t.Errorf("profiles on a port: code %d, want 404", code)
	}
	if conn, err := net.Dial("unix", debug); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
}
