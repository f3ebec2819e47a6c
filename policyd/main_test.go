// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asPolicyd makes the test program be policyd, so that tests can kill it.
const asPolicyd = "POLICYD_TEST_AS_POLICYD"

func TestMain(m *testing.M) {
	if os.Getenv(asPolicyd) != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   []string
		status int
		stdout string // part of it
		stderr string
	}{
		{"help", []string{"--help"}, 0, "policyd --listen 10.255.0.100:7400", ""},
		{"version", []string{"--version"}, 0, "policyd version dev", ""},
		{"argument", []string{"serve"}, 2, "", `unknown argument "serve"`},
		{"unknown option", []string{"--joint", "x"}, 2, "", "-joint"},
		{"join nowhere", []string{"--join", "x"}, 2, "", `read --join "x"`},
		{"join without a port", []string{"--join", "10.0.0.1:7400"}, 2, "", "give --raft-listen"},
		{"join without a token", []string{"--join", "10.0.0.1:7400", "--listen", "127.0.0.1:0", "--advertise", "127.0.0.1:1",
			"--raft-listen", "127.0.0.1:0", "--data", t.TempDir()}, 1, "", "mbctl cluster join policyd1"},
		{"join and recover", []string{"--join", "10.0.0.1:7400", "--raft-listen", "127.0.0.1:0", "--recover"}, 2, "", "leave out --join"},
		{"advertise", []string{"--advertise", "0.0.0.0:7400"}, 2, "", "read --advertise"},
		{"nobody can find it", []string{"--listen", ":7400", "--raft-listen", "127.0.0.1:0"}, 2, "", "give --advertise"},
		{"listen", []string{"--listen", "7400"}, 2, "", "read --listen"},
		{"raft-listen", []string{"--raft-listen", "7401"}, 2, "", "read --raft-listen"},
		{"data", []string{"--data", ""}, 2, "", "read --data"},
		{"id", []string{"--id", "A B"}, 2, "", `read --id "A B"`},
		{"log level", []string{"--log-level", "loud"}, 2, "", "read --log-level"},
		{"log format", []string{"--log-format", "xml"}, 2, "", "read --log-format"},
		{"metrics", []string{"--metrics", "7402"}, 2, "", `read --metrics "7402"`},
		{"metrics on an address of nobody", []string{"--listen", "127.0.0.1:0", "--metrics", "192.0.2.1:7402"}, 1, "", "listen for scrapers on 192.0.2.1:7402"},
		{"data is a file", []string{"--listen", "127.0.0.1:0", "--data", file}, 1, "", "not a directory"},
		{"address of nobody", []string{"--listen", "192.0.2.1:7400"}, 1, "", "listen on 192.0.2.1:7400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := start(t.Context(), append([]string{"policyd"}, tt.args...), &stdout, &stderr)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			if !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("stdout:\n%s\nstderr:\n%s", &stdout, &stderr)
			}
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	dir := t.TempDir()
	status := start(ctx, []string{"policyd", "--listen", "127.0.0.1:0", "--data", dir, "--socket", filepath.Join(dir, "sock")}, &stderr, &stderr)
	if status != 0 || !strings.Contains(stderr.String(), "msg=stopped") {
		t.Errorf("status %d, stderr:\n%s", status, &stderr)
	}
}
