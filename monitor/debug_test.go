// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// socketOf is the environment variable by which this test program is told to be a
// stranger that connects to a socket.
const socketOf = "MONITOR_TEST_SOCKET"

func TestMain(m *testing.M) {
	if path := os.Getenv(socketOf); path != "" {
		os.Exit(stranger(path))
	}
	os.Exit(m.Run())
}

// stranger asks for a profile and returns 0 when it gets nothing.
func stranger(path string) int {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return 0
	}
	_, _ = io.WriteString(conn, "GET /debug/pprof/ HTTP/1.1\r\nHost: a\r\n\r\n")
	if b, _ := io.ReadAll(conn); len(b) > 0 {
		return 1
	}
	return 0
}

// serveDebug serves profiles until the test ends.
func serveDebug(t *testing.T, path string) {
	t.Helper()
	l, err := ListenDebug(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- ServeDebug(ctx, l, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("socket after the end: %v", err)
		}
	})
}

func TestProfilesOnASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "debug.sock")
	serveDebug(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != debugMode {
		t.Errorf("mode %v, error %v, want %o", info.Mode(), err, debugMode)
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	r, err := client.Get("http://debug/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || !strings.Contains(string(body), "goroutine profile") {
		t.Errorf("error %v, body:\n%s", err, body)
	}
}

// Whoever is not root gets nothing, even if the mode of the socket lets him in.
func TestProfilesAreRootsAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	dir, err := os.MkdirTemp("", "monitor")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "debug.sock")
	serveDebug(t, path)
	self := filepath.Join(dir, "self")
	copyFile(t, self, os.Args[0])
	for file, mode := range map[string]os.FileMode{dir: 0o755, path: 0o777, self: 0o755} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = []string{socketOf + "=" + path}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("a stranger was answered: %v\n%s", err, out)
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestListenDebugReplacesASocketAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenDebug(file); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("on a file: error %v", err)
	}
	left := filepath.Join(dir, "left")
	l, err := net.Listen("unix", left)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	again, err := ListenDebug(left)
	if err != nil {
		t.Fatalf("on a socket that was left: %v", err)
	}
	again.Close()
}
