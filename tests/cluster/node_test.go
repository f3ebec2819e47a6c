// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// within bounds the wait for what takes a few elections, on a busy machine.
const within = 60 * time.Second

// node is a policyd with its data directory, running or not.
type node struct {
	t       *testing.T
	id      string
	address string // of its API
	raft    string // of its Raft
	data    string
	inside  string   // the same as seen from here, if it is elsewhere
	socket  string   // for root
	prefix  []string // command that starts another one somewhere: nsenter, ip netns exec

	cmd     *exec.Cmd
	drained chan struct{} // closed once the process's log has ended
	mu      sync.Mutex
	log     bytes.Buffer // of all its processes
}

func (n *node) String() string {
	if n == nil {
		return "no node"
	}
	return n.id
}

// Write takes the log.
func (n *node) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.Write(b)
}

func (n *node) said(text string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(n.log.String(), text)
}

// logs is where those of nodes of failed tests are kept.
const logs = "../../build/test/cluster"

// showLog shows the end of it, and keeps the whole.
func (n *node) showLog() {
	const shown = 8 // of each node, so that they do not hide what has failed
	n.mu.Lock()
	defer n.mu.Unlock()
	file := filepath.Join(logs, strings.ReplaceAll(n.t.Name(), "/", "-")+"-"+n.id+".log")
	err := errors.Join(os.MkdirAll(logs, 0o755), os.WriteFile(file, n.log.Bytes(), 0o644))
	if err != nil {
		n.t.Log(err)
	}
	lines := strings.SplitAfter(n.log.String(), "\n")
	n.t.Logf("end of %s, the log of %s:\n%s", file, n.id, strings.Join(lines[max(0, len(lines)-shown):], ""))
}

// start runs policyd on the node's directory.
func (n *node) start(options ...string) {
	n.t.Helper()
	line := append(n.prefix[:len(n.prefix):len(n.prefix)], program, "--id", n.id, "--data", n.data,
		"--listen", n.address, "--raft-listen", n.raft, "--socket", n.socket)
	line = append(line, options...)
	n.cmd = exec.Command(line[0], line[1:]...)
	n.cmd.Stdout, n.cmd.Stderr = n, n
	// It ends with the test program, however that ends.
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	cmd, drained := n.cmd, make(chan struct{})
	n.drained = drained
	go func() {
		defer close(drained)
		_ = cmd.Wait() // the status is what the caller looks at
	}()
}

// stop sends a signal and returns the exit status once the process is gone.
func (n *node) stop(sig os.Signal) int {
	n.t.Helper()
	if n.cmd == nil {
		return 0
	}
	if err := n.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Error(err)
	}
	return n.exited()
}

// exited waits until the process ends by itself.
func (n *node) exited() int {
	n.t.Helper()
	select {
	case <-n.drained:
	case <-time.After(within):
		n.t.Errorf("%s does not end", n.id)
		_ = n.cmd.Process.Kill()
		<-n.drained
	}
	return n.cmd.ProcessState.ExitCode()
}

func (n *node) kill() { n.stop(syscall.SIGKILL) }

// lose is what becomes of a node whose machine is gone for good.
func (n *node) lose() {
	n.kill()
	if err := os.RemoveAll(n.data); err != nil {
		n.t.Fatal(err)
	}
}

// db is the file with the node's log.
func (n *node) db() string { return filepath.Join(n.data, "raft.db") }

// eventually waits until f says nothing.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // polls other processes
	}
}
