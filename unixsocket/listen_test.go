// SPDX-License-Identifier: Apache-2.0

package unixsocket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, 0o600); !errors.Is(err, ErrOtherFile) {
		t.Errorf("listen where a file is: error %v, want %v", err, ErrOtherFile)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "kept" {
		t.Errorf("the file is %q, error %v", text, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}

	left, err := Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false) // as if its process was killed
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(path, 0o660)
	if err != nil {
		t.Fatalf("listen where a socket was left: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket is %v, error %v, want mode 660", info, err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	who, err := Peer(c.(*net.UnixConn))
	if err != nil || int(who.Uid) != os.Getuid() || int(who.Pid) != os.Getpid() {
		t.Errorf("at the other end is %v, error %v, want this process", who, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}
