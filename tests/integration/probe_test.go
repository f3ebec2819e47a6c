// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// latencies are how long something took, each time.
type latencies struct {
	kind string
	all  []time.Duration
}

func (l latencies) max() time.Duration {
	if len(l.all) == 0 {
		return 0
	}
	return slices.Max(l.all)
}

func (l latencies) String() string {
	if len(l.all) == 0 {
		return l.kind + ": none"
	}
	sorted := slices.Sorted(slices.Values(l.all))
	at := func(part float64) time.Duration {
		return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)].Round(100 * time.Nanosecond)
	}
	return fmt.Sprintf("%s, %d times: median %v, 99 %% %v, 99.9 %% %v, longest %v",
		l.kind, len(sorted), at(0.5), at(0.99), at(0.999), at(1))
}

// probe is a chained connection whose two ends are in one thread: one that comes
// before all others sends a byte to and fro once a millisecond. What it waits for
// when it wakes up late, or a byte is late, is the kernel and nobody else.
type probe struct {
	ends    [2]int
	files   [2]*os.File
	running atomic.Bool
	done    chan error
	beats   []beat // of which there are
	n       int
	stalls  []string // longer than the limit
}

// beat is one byte there and back: when it was due, sent, and back.
type beat struct{ due, sent, back time.Duration }

const (
	probeEvery = time.Millisecond
	probeMost  = 2_000_000
)

func newProbe(t *testing.T, r *rig, port uint16) *probe {
	t.Helper()
	l := r.server().listen(t, port)
	c := r.client().connect(t, 0, r.server().port(port))
	if err := l.SetDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	other, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	p := &probe{}
	for i, end := range []*net.TCPConn{c, other} {
		f, err := end.File()
		if err != nil {
			t.Fatal(err)
		}
		_ = end.Close()
		t.Cleanup(func() { _ = f.Close() })
		p.files[i] = f
		p.ends[i] = int(f.Fd()) // it blocks from now on
		limit := unix.NsecToTimeval(int64(soon))
		if err := unix.SetsockoptTimeval(p.ends[i], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// once sends a byte there and back.
func (p *probe) once() error {
	if errno := p.pass(); errno != 0 {
		return fmt.Errorf("send a byte there and back: %w", errno)
	}
	return nil
}

//go:nosplit
func (p *probe) pass() syscall.Errno {
	errno := rawPass(p.ends[0], p.ends[1])
	if errno == 0 {
		errno = rawPass(p.ends[1], p.ends[0])
	}
	return errno
}

func (p *probe) start() {
	p.running.Store(true)
	p.done = make(chan error, 1)
	p.beats, p.n = make([]beat, probeMost), 0
	go func() {
		runtime.LockOSThread() // and the thread ends with its priority
		p.done <- p.run()
	}()
}

func (p *probe) run() error {
	if err := comeFirst(); err != nil {
		return err
	}
	if errno := p.beat(rawMonotonic()); errno != 0 {
		return errno
	}
	return nil
}

//go:nosplit
func (p *probe) beat(due time.Duration) syscall.Errno {
	for p.running.Load() && p.n < len(p.beats) {
		due += probeEvery
		if errno := rawSleepUntil(due); errno != 0 {
			return errno
		}
		awake := rawMonotonic()
		if errno := p.pass(); errno != 0 {
			return errno
		}
		now := rawMonotonic()
		p.beats[p.n] = beat{due, awake, now}
		p.n++
		due = max(due, now-probeEvery) // a stall counts once
	}
	return 0
}

// stop ends what start began.
func (p *probe) stop(t *testing.T) latencies {
	t.Helper()
	p.running.Store(false)
	if err := <-p.done; err != nil {
		t.Errorf("probe: %v", err)
	}
	got := latencies{kind: "a byte there and back, from when it was due"}
	for _, b := range p.beats[:p.n] {
		took := b.back - b.due
		got.all = append(got.all, took)
		if took > stallLimit {
			p.stalls = append(p.stalls, fmt.Sprintf("%v after %v, sent %v late", took, b.due-p.beats[0].due, b.sent-b.due))
		}
	}
	return got
}

// keepMoving sends to an echo, and wants back, as much as goes, until the
// function that it returns is called. That one returns how many bytes went. It
// leaves no garbage.
func keepMoving(c net.Conn) func() (int64, error) {
	const size = 50_000
	var stop atomic.Bool
	question, answer := make([]byte, size), make([]byte, size)
	for i := range question {
		question[i] = byte(i * 7)
	}
	var bytesMoved int64
	sent, received := make(chan error, 1), make(chan error, 1)
	write, read, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	_ = c.SetDeadline(time.Now().Add(10 * late))
	go func() {
		for range write {
			_, err := c.Write(question)
			sent <- err
		}
	}()
	go func() {
		for range read {
			_, err := io.ReadFull(c, answer)
			received <- err
		}
	}()
	go func() {
		var err error
		for !stop.Load() && err == nil {
			write <- struct{}{}
			read <- struct{}{}
			err = errors.Join(<-sent, <-received)
			if err == nil && !bytes.Equal(question, answer) {
				err = errors.New("the answer is not the question")
			}
			bytesMoved += size
		}
		close(write)
		close(read)
		done <- err
	}()
	return func() (int64, error) {
		stop.Store(true)
		err := <-done
		return bytesMoved, err
	}
}

// memory is what the kernel has, or has taken, in bytes.
type memory struct {
	available int64 // taken of what programs could have
	slab      int64 // in caches of objects
	sessions  int64 // of these, in that of sessions
}

// measureMemory is how much is taken now, from any point of reference.
func measureMemory(t *testing.T) memory {
	t.Helper()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		t.Fatal(err)
	}
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) int64 {
		found := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB`).FindSubmatch(text)
		if found == nil {
			t.Fatalf("find %s in /proc/meminfo: none", name)
		}
		n, err := strconv.ParseInt(string(found[1]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n * 1024
	}
	m := memory{available: -field("MemAvailable"), slab: field("Slab")}
	m.sessions = slabBytes(t, "mbc_session")
	return m
}

// slabBytes is what the objects of a cache take. Those of another cache of their
// size may be among them.
func slabBytes(t *testing.T, cache string) int64 {
	t.Helper()
	read := func(file string) (n int64) {
		text, err := os.ReadFile("/sys/kernel/slab/" + cache + "/" + file)
		if err == nil {
			_, err = fmt.Sscan(string(text), &n)
		}
		if err != nil {
			t.Fatalf("read %s of %s: %v", file, cache, err)
		}
		return n
	}
	return read("total_objects") * read("slab_size")
}

func (m memory) minus(o memory) memory {
	return memory{m.available - o.available, m.slab - o.slab, m.sessions - o.sessions}
}

func (m memory) String() string {
	return fmt.Sprintf("%d kB less available, %d kB more in caches of objects, %d kB of them of sessions",
		m.available/1000, m.slab/1000, m.sessions/1000)
}

// each is what one of n takes.
func (m memory) each(n int) string {
	return fmt.Sprintf("%d bytes less available a session, %d in caches of objects, %d of them of sessions",
		m.available/int64(n), m.slab/int64(n), m.sessions/int64(n))
}
