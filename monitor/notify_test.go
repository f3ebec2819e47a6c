// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	path := filepath.Join(t.TempDir(), "notify")
	for _, socket := range []string{path, fmt.Sprintf("@mbchain-test-%d", os.Getpid())} {
		manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer manager.Close()
		Notify(socket, Ready, log)
		_ = manager.SetReadDeadline(time.Now().Add(10 * time.Second))
		told := make([]byte, 100)
		n, err := manager.Read(told)
		if got := string(told[:n]); err != nil || got != "READY=1" {
			t.Errorf("%s was told %q, %v", socket, got, err)
		}
	}
	Notify("", Ready, log)
	if said.Len() > 0 {
		t.Errorf("it complains: %s", &said)
	}
	Notify(filepath.Join(t.TempDir(), "gone"), Stopping, log)
	if !strings.Contains(said.String(), "service manager not told") {
		t.Errorf("the manager is gone, and the log says %q", &said)
	}
}
