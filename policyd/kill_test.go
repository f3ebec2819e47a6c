// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// readyWithin bounds the wait for a process, on a busy machine.
const readyWithin = 30 * time.Second

// process is a policyd in a process of its own.
type process struct {
	cmd     *exec.Cmd
	policy  protoconnect.PolicyServiceClient
	drained chan struct{} // closed once its log has ended
	log     bytes.Buffer  // read it after drained
}

// launch starts a policyd on dir and waits until it answers.
func launch(t *testing.T, dir string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0], "--data", dir, "--listen", "127.0.0.1:0", "--socket", filepath.Join(dir, "sock"), "--log-format", "json"), drained: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asPolicyd+"=1")
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.signal(t, syscall.SIGKILL) })

	listen := make(chan string, 1)
	go func() {
		defer close(p.drained)
		lines := bufio.NewScanner(io.TeeReader(pipe, &p.log))
		for lines.Scan() {
			var line struct{ Msg, Listen string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "started" {
				listen <- line.Listen
			}
		}
	}()
	select {
	case <-listen:
		p.policy = protoconnect.NewPolicyServiceClient(local(t, filepath.Join(dir, "sock")), "http://policyd")
	case <-p.drained:
		t.Fatalf("policyd ended:\n%s", &p.log)
	case <-time.After(readyWithin):
		t.Fatal("policyd did not start")
	}
	p.wait(t)
	return p
}

// local is a client of a unix socket.
func local(t *testing.T, socket string) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// wait waits until policyd leads, which takes an election.
func (p *process) wait(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyWithin)
	defer cancel()
	for {
		_, err := p.policy.Get(ctx, &proto.GetRequest{})
		if err == nil {
			return
		}
		if connect.CodeOf(err) != connect.CodeUnavailable {
			t.Fatalf("get policy: %v", err)
		}
		select {
		case <-time.After(20 * time.Millisecond): // polls another process
		case <-ctx.Done():
			t.Fatalf("policyd is not ready: %v", err)
		}
	}
}

// signal sends a signal and returns the exit status once the process is gone.
func (p *process) signal(t *testing.T, sig os.Signal) int {
	t.Helper()
	if p.cmd.ProcessState != nil {
		return p.cmd.ProcessState.ExitCode()
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	<-p.drained
	_ = p.cmd.Wait() // the status is what the caller looks at
	return p.cmd.ProcessState.ExitCode()
}

func source(n uint64) string { return fmt.Sprintf("match(dstport=%d) >> {}\n", n) }

// An apply that was acknowledged is there after kill -9, whenever it comes; one
// that was not is there whole or not at all.
func TestKillLosesNoAcknowledgedApply(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	dir := t.TempDir()
	var (
		mu    sync.Mutex
		acked = uint64(0) // newest version that was acknowledged
		text  = map[uint64]string{}
		tried = map[string]bool{}
		n     uint64
	)
	for round := range rounds {
		p := launch(t, dir)
		got, err := p.policy.Get(t.Context(), &proto.GetRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Version < acked {
			t.Fatalf("round %d: version %d runs, %d was acknowledged", round, got.Version, acked)
		}
		if want := text[got.Version]; want != "" && got.Source != want {
			t.Fatalf("round %d: version %d is %q, acknowledged was %q", round, got.Version, got.Source, want)
		}
		if got.Version > 0 && !tried[got.Source] {
			t.Fatalf("round %d: version %d is %q, which nobody applied", round, got.Version, got.Source)
		}

		var g errgroup.Group
		acks := make(chan struct{}, 1000)
		for range 4 {
			g.Go(func() error {
				for {
					mu.Lock()
					n++
					s := source(n%65535 + 1)
					tried[s] = true
					mu.Unlock()
					r, err := p.policy.Apply(context.Background(), &proto.ApplyRequest{Source: s})
					if err != nil {
						return nil // killed
					}
					mu.Lock()
					acked = max(acked, r.Version)
					text[r.Version] = s
					mu.Unlock()
					select {
					case acks <- struct{}{}:
					default: // nobody counts any more
					}
				}
			})
		}
		for range 1 + rand.IntN(100) { // any moment will do
			select {
			case <-acks:
			case <-p.drained:
				t.Fatalf("policyd ended:\n%s", &p.log)
			}
		}
		p.signal(t, syscall.SIGKILL)
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if acked == 0 {
		t.Error("no apply was acknowledged at all")
	}
	t.Logf("%d versions over %d kills", acked, rounds)
}

// Killed while it makes its data directory, policyd starts all the same.
func TestKillDuringTheFirstStart(t *testing.T) {
	for round := range 6 {
		dir := t.TempDir()
		alive := time.Duration(round*15+rand.IntN(15)) * time.Millisecond // any moment will do
		ctx, cancel := context.WithTimeout(t.Context(), alive)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], "--data", dir, "--listen", "127.0.0.1:0", "--socket", filepath.Join(dir, "sock"))
		cmd.Env = append(os.Environ(), asPolicyd+"=1")
		if err := cmd.Run(); ctx.Err() == nil {
			t.Fatalf("ended by itself: %v", err)
		}
		p := launch(t, dir)
		if _, err := p.policy.Apply(t.Context(), &proto.ApplyRequest{Source: source(80)}); err != nil {
			t.Fatal(err)
		}
		p.signal(t, syscall.SIGKILL)
	}
}

func TestSigtermEndsPolicydWell(t *testing.T) {
	p := launch(t, t.TempDir())
	if _, err := p.policy.Apply(t.Context(), &proto.ApplyRequest{Source: source(80)}); err != nil {
		t.Fatal(err)
	}
	if status := p.signal(t, syscall.SIGTERM); status != 0 {
		t.Errorf("status %d, want 0; log:\n%s", status, &p.log)
	}
	if !bytes.Contains(p.log.Bytes(), []byte(`"msg":"stopped"`)) {
		t.Errorf("log:\n%s", &p.log)
	}
}

func TestSecondPolicydIsKeptOut(t *testing.T) {
	dir := t.TempDir()
	p := launch(t, dir)
	var stderr bytes.Buffer
	status := start(t.Context(), []string{"policyd", "--data", dir, "--listen", "127.0.0.1:0"}, &stderr, &stderr)
	want := fmt.Sprintf("in use by process %d", p.cmd.Process.Pid)
	if status != 1 || !bytes.Contains(stderr.Bytes(), []byte(want)) {
		t.Errorf("status %d, stderr does not say %q:\n%s", status, want, &stderr)
	}
}
