// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mbchain/monitor/monitortest"
)

func TestPolicydIsWatched(t *testing.T) {
	dir, address := t.TempDir(), monitortest.FreeAddress(t)
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
		code, body := monitortest.Page(t, address, "/readyz")
		if code == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: code %d, %s", code, body)
		}
	}
	_, body := monitortest.Page(t, address, "/metrics")
	for _, text := range []string{
		`mbchain_policyd_raft_state{state="leader"} 1`, "mbchain_policyd_raft_leader_known 1", "mbchain_policyd_raft_peers 0",
		"mbchain_policyd_policy_version 0", "mbchain_policyd_hosts 0", `mbchain_policyd_build_info{goversion="`,
		"mbchain_policyd_policy_spread_seconds_count 0",
	} {
		if !strings.Contains(body, text) {
			t.Errorf("metrics lack %s:\n%s", text, body)
		}
	}
	if code, _ := monitortest.Page(t, address, "/debug/pprof/"); code != 404 {
		t.Errorf("profiles on a port: code %d, want 404", code)
	}
	if conn, err := net.Dial("unix", debug); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
}
