// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mbchain/genl"
	"mbchain/genl/genlfake"

	"github.com/google/go-cmp/cmp"
)

func TestInfo(t *testing.T) {
	kernel, client := fake(t)
	ctx := t.Context()
	if err := client.SetKeys(ctx, []genl.Key{{ID: 9}, {ID: 8}}); err != nil {
		t.Fatal(err)
	}
	if err := client.LoadPolicy(ctx, policy(3)); err != nil {
		t.Fatal(err)
	}
	kernel.AddSession(middle(1))
	got, err := client.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := &genl.Info{
		ModuleVersion: genlfake.Version,
		Sessions:      1,
		SessionBytes:  1024,
		TableBytes:    8192,
		PolicyVersion: 1 << 33,
		Rules:         3,
		KeyIDs:        []uint32{9, 8},
		Config:        kernel.Config(),
		Family:        got.Family,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Info (-want +got):\n%s", diff)
	}
}

func TestSetConfigChangesOnlyWhatItNames(t *testing.T) {
	kernel, client := fake(t)
	want := kernel.Config()
	want.SYNTimeout, want.Freshness, want.PortMin = 2500*time.Millisecond, 5*time.Second, 2000
	err := client.SetConfig(t.Context(), genl.Config{
		SYNTimeout: 2500 * time.Millisecond,
		Freshness:  5 * time.Second,
		PortMin:    2000,
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, kernel.Config()); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestSetConfigRefuses(t *testing.T) {
	tests := []struct {
		name   string
		config genl.Config
	}{
		{"too many sessions", genl.Config{MaxSessions: 16777217}},
		{"timeout under a millisecond", genl.Config{SYNTimeout: 1500 * time.Microsecond}},
		{"negative timeout", genl.Config{IdleTimeout: -time.Second}},
		{"timeout beyond 32 bits", genl.Config{IdleTimeout: 1 << 32 * time.Millisecond}},
		{"timeout too short", genl.Config{CloseTimeout: 99 * time.Millisecond}},
		{"half a second", genl.Config{Freshness: 1500 * time.Millisecond}},
		{"port range too small", genl.Config{PortMin: 5000, PortMax: 5062}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kernel, client := fake(t)
			want := kernel.Config()
			if err := client.SetConfig(t.Context(), tt.config); !errors.Is(err, genl.ErrRange) {
				t.Errorf("SetConfig: %v, want %v", err, genl.ErrRange)
			}
			if diff := cmp.Diff(want, kernel.Config()); diff != "" {
				t.Errorf("config has changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSetKeysReplacesAll(t *testing.T) {
	kernel, client := fake(t)
	for _, keys := range [][]genl.Key{
		{{ID: 1, Secret: genl.Secret{1}}, {ID: 2, Secret: genl.Secret{2}}},
		{{ID: 3, Secret: genl.Secret{3}}},
		nil,
	} {
		if err := client.SetKeys(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(keys, kernel.Keys()); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	}
	if err := client.SetKeys(t.Context(), make([]genl.Key, 2)); !errors.Is(err, genl.ErrExists) {
		t.Errorf("two keys of one id: %v, want %v", err, genl.ErrExists)
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	key := genl.Key{ID: 1, Secret: genl.Secret{0xab, 0xcd}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		s := fmt.Sprintf(format, key)
		if !strings.Contains(s, "(secret)") || strings.Contains(s, "ab") || strings.Contains(s, "171") {
			t.Errorf("%s prints %s", format, s)
		}
	}
}

func TestSessions(t *testing.T) {
	kernel, client := fake(t)
	want := []genl.Session{middle(1), clientSession(2), middle(3)}
	for _, s := range want {
		kernel.AddSession(s)
	}
	got, err := client.Sessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, equateAddrs); diff != "" {
		t.Errorf("Sessions (-want +got):\n%s", diff)
	}
	one, err := client.Session(t.Context(), want[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want[1], one, equateAddrs); diff != "" {
		t.Errorf("Session (-want +got):\n%s", diff)
	}
	if err := client.DeleteSession(t.Context(), want[1].ID); err != nil {
		t.Fatal(err)
	}
	_, err = client.Session(t.Context(), want[1].ID)
	if !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("Session after DeleteSession: %v, want %v", err, genl.ErrNotFound)
	}
	if err := client.DeleteSession(t.Context(), want[1].ID); !errors.Is(err, genl.ErrNotFound) {
		t.Errorf("DeleteSession twice: %v, want %v", err, genl.ErrNotFound)
	}
}

func TestInterruptedDumpIsRepeated(t *testing.T) {
	tests := []struct {
		name  string
		times int
		want  error
	}{
		{"once", 1, nil},
		{"four times", 4, nil},
		{"always", 100, genl.ErrInterrupted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kernel, client := fake(t)
			kernel.AddSession(middle(1))
			kernel.InterruptDumps(tt.times)
			sessions, err := client.Sessions(t.Context())
			if !errors.Is(err, tt.want) {
				t.Fatalf("Sessions: %v, want %v", err, tt.want)
			}
			if err == nil && len(sessions) != 1 {
				t.Errorf("%d sessions, want 1", len(sessions))
			}
		})
	}
}

func TestStats(t *testing.T) {
	kernel, client := fake(t)
	kernel.Count(genl.ReasonHdrMAC, 1<<35)
	got, err := client.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != int(genl.ReasonMax) {
		t.Errorf("%d counters, want %d", len(got), genl.ReasonMax)
	}
	want := genl.Counter{Reason: genl.ReasonHdrMAC, Name: "hdr_mac", Value: 1 << 35}
	if diff := cmp.Diff(want, got[genl.ReasonHdrMAC-1]); diff != "" {
		t.Errorf("counter (-want +got):\n%s", diff)
	}
}

func TestContextIsLookedAt(t *testing.T) {
	kernel, client := fake(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.LoadPolicy(ctx, policy(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("LoadPolicy: %v, want %v", err, context.Canceled)
	}
	if kernel.Policy() != nil {
		t.Error("policy was loaded")
	}
}

func TestConcurrentUse(t *testing.T) {
	kernel, client := fake(t)
	kernel.AddSession(middle(1))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				if _, err := client.Sessions(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := client.Stats(t.Context()); err != nil {
					t.Error(err)
				}
				if i != 0 {
					continue
				}
				if err := client.LoadPolicy(t.Context(), policy(2)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
