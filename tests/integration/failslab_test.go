// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mbchain/genl"
)

// failslab is where the debug kernel takes orders to let allocations fail.
const failslab = "/sys/kernel/debug/failslab"

// fail writes orders to failslab, and undoes them when the test ends.
func fail(t *testing.T, orders map[string]string) {
	t.Helper()
	for name, value := range orders {
		path := filepath.Join(failslab, name)
		old, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(value), 0)
		}
		if err != nil {
			t.Fatalf("let allocations fail: %v", err)
		}
		t.Cleanup(func() { _ = os.WriteFile(path, []byte(strings.TrimSpace(string(old))), 0) })
	}
}

// failCaches lets allocations from these caches fail alone: the kernel's own
// checks allocate too, and complain.
func failCaches(t *testing.T, names ...string) {
	t.Helper()
	fail(t, map[string]string{"cache-filter": "Y", "task-filter": "N", "verbose": "0"})
	for _, name := range names {
		path := filepath.Join("/sys/kernel/slab", name, "failslab")
		if err := os.WriteFile(path, []byte("1"), 0); err != nil {
			t.Fatalf("let allocations fail: %v", err)
		}
		t.Cleanup(func() { _ = os.WriteFile(path, []byte("0"), 0) })
	}
}

// failNth lets the n-th allocation that the calling thread makes in do fail, and
// returns whether there were so many.
func failNth(n int, do func()) (failed bool, err error) {
	f, err := os.OpenFile("/proc/thread-self/fail-nth", os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteAt([]byte(strconv.Itoa(n)), 0); err != nil {
		return false, err
	}
	do()
	left := make([]byte, 16)
	size, err := f.ReadAt(left, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	_, err = f.WriteAt([]byte("0"), 0)
	return strings.TrimSpace(string(left[:size])) == "0", err
}

// failEach does it while the first of its allocations fails, then the second, and so
// on until all succeed; after is told each time how it went.
func (h *host) failEach(t *testing.T, do func() error, after func(error)) {
	t.Helper()
	refused := 0
	for n := 1; ; n++ {
		var asked error
		failed, err := within(h, func() (bool, error) {
			return failNth(n, func() { asked = do() })
		})
		if err != nil {
			t.Fatal(err)
		}
		after(asked)
		if asked != nil {
			refused++
		} else if !failed {
			t.Logf("%d of %d allocations that failed refused it", refused, n-1)
			return
		}
	}
}

// A set-up that fails half-way, at whichever allocation, leaves nothing behind:
// no session, and nothing that the end of the guest would find (kmemleak). Only
// the debug kernel can let one fail; on others only what else may go wrong does.
func TestSetUpThatFailsHalfWay(t *testing.T) {
	r := newRig(t, 1)
	mb := r.middleboxes()[0]
	q := r.request(0)

	t.Run("by an agent, refused", func(t *testing.T) {
		noWay, noPlace := q, q
		noWay.Hops = append(hops(), oddAddrs(r.family).stranger)
		noPlace.Hops = append(hops(), mb.addr, r.server().addr)
		for _, row := range []struct {
			request genl.SessionRequest
			want    error
		}{{noWay, genl.ErrNoRoute}, {noPlace, genl.ErrLoop}} {
			if _, err := mb.module.NewSession(t.Context(), row.request); !errors.Is(err, row.want) {
				t.Errorf("install %v: %v, want %v", row.request.Hops, err, row.want)
			}
			awaitSessions(t, 0, mb)
		}
	})
	if _, err := os.Stat(failslab); err != nil {
		return
	}
	t.Run("by an agent, without memory", func(t *testing.T) {
		failCaches(t, "mbc_session", "mbc_seen", "rtable", "skbuff_head_cache", "skbuff_small_head",
			"kmalloc-256", "kmalloc-512", "kmalloc-1k", "kmalloc-2k", "kmalloc-4k")
		fail(t, map[string]string{"ignore-gfp-wait": "N"})
		mb.failEach(t, func() error {
			_, err := mb.module.NewSession(t.Context(), q)
			return err
		}, func(err error) {
			if err == nil {
				if err := mb.module.DeleteSession(t.Context(), q.ID); err != nil {
					t.Fatal(err)
				}
			}
			awaitSessions(t, 0, mb)
		})
	})
	t.Run("an NF, without memory", func(t *testing.T) {
		failCaches(t, "kmalloc-32", "kmalloc-64", "kmalloc-96", "kmalloc-128", "kmalloc-192")
		fail(t, map[string]string{"ignore-gfp-wait": "N"})
		mb.failEach(t, func() error {
			return mb.module.SetNF(t.Context(), genl.NF{Mode: genl.NFNone})
		}, func(err error) {
			if got := mb.info(t).NF.Mode; err != nil && got != genl.NFInline {
				t.Errorf("after %v the NF is %v, want what it was", err, got)
			}
			mb.attachNF(t, genl.NF{Mode: genl.NFInline})
		})
	})
	t.Run("by a SYN, without memory", func(t *testing.T) { r.failInBand(t) })
}

// failInBand lets each seventh allocation of the module's own caches fail while
// clients connect: the SYN is sent again, and all of them get through.
func (r *rig) failInBand(t *testing.T) {
	client, server := r.client(), r.server()
	r.load(t, "match(dstport=5001) >> {mb1}\n")
	server.echo(t, 5001)
	failCaches(t, "mbc_session", "mbc_seen")
	var before []counters
	for _, h := range r.hosts {
		before = append(before, h.counters(t))
	}
	fail(t, map[string]string{"interval": "7", "times": "-1", "probability": "100"})
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), late)
		c, err := client.dial(ctx, client.port(0), server.port(5001))
		cancel()
		if err != nil {
			t.Fatal(err) // the SYN is sent again
		}
		talk(t, c, 1000)
		_ = c.Close()
	}
	if err := os.WriteFile(filepath.Join(failslab, "probability"), []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	awaitSessions(t, 0, r.hosts...)
	failed := uint64(0)
	for i, h := range r.hosts {
		failed += h.counters(t).since(before[i])[genl.ReasonNoMemory.String()]
	}
	if failed == 0 {
		t.Error("no_memory did not rise, want allocations to have failed")
	}
	talk(t, client.connect(t, 0, server.port(5001)), 1000)
}
