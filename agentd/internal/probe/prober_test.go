// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A program that fails once, and passes when it is run again, has not failed.
func TestProber(t *testing.T) {
	tests := []struct {
		name string
		runs string // of the program: passes, fails
		want string // results: changes are marked
	}{
		{"passes", "ppp", "p! p p"},
		{"fails", "ffff", "f! f"},
		{"once is nothing", "pfppfp", "p! p p p"},
		{"fails, and works again", "pffffpp", "p! f! f p! p"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				var changed atomic.Bool
				i := 0
				ctx, cancel := context.WithCancel(t.Context())
				p := &Prober{changed: func() { changed.Store(true) }}
				p.run = func(context.Context) (string, bool) {
					if i == len(tt.runs) {
						cancel()
						return "", true
					}
					i++
					return "why", tt.runs[i-1] == 'p'
				}
				done := make(chan struct{})
				go func() { p.Run(ctx); close(done) }()
				for {
					synctest.Wait()
					if ctx.Err() != nil {
						break
					}
					r := p.Result()
					word := "p"
					if r.Failed {
						word = "f"
					}
					if changed.Swap(false) {
						word += "!"
					}
					got = append(got, word)
					time.Sleep(every)
				}
				<-done
				if g := strings.Join(got, " "); g != tt.want {
					t.Errorf("results %s, want %s", g, tt.want)
				}
			})
		})
	}
}

func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProgram(t *testing.T) {
	tests := []struct {
		name, body string
		ok         bool
		why        string
	}{
		{"passes", "echo fine", true, ""},
		{"fails", "echo no answer from 10.0.0.9 >&2; echo more; exit 1", false, "no answer from 10.0.0.9"},
		{"fails in silence", "exit 3", false, "exit status 3"},
		{"rings a bell", `printf 'd\ai\377ng'; exit 1`, false, "ding"},
		{"talks without end", "yes no | head -c 100000; exit 1", false, "no"},
		{"hangs", "sleep 60", false, "longer than"},
		{"leaves a child behind that hangs", "sleep 60 & sleep 60", false, "longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			why, ok := program(t.Context(), script(t, tt.body))
			if ok != tt.ok || !strings.Contains(why, tt.why) || len(why) > MaxWhy {
				t.Errorf("passed %t, because %q; want %t, %q", ok, why, tt.ok, tt.why)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	if why, ok := program(t.Context(), "/nonexistent"); ok || !strings.Contains(why, "no such file") {
		t.Errorf("of no program: passed %t, because %q", ok, why)
	}
}
