// SPDX-License-Identifier: Apache-2.0

package nfstate

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mbchain/agentd/internal/lock"
	"mbchain/chain"
)

var super = chain.FiveTuple{
	Source: netip.MustParseAddrPort("10.0.0.1:40000"), Destination: netip.MustParseAddrPort("10.0.0.9:80"),
	Protocol: chain.ProtocolTCP,
}

func script(t *testing.T, body string) *Mover {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nf-state")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return New(path)
}

func TestProgramMovesState(t *testing.T) {
	kept := filepath.Join(t.TempDir(), "kept")
	m := script(t, `case $1 in export) echo "$*";; import) cat >`+kept+`;; drop) rm `+kept+`;; esac`)
	state, err := m.Export(t.Context(), lock.Exec, super)
	if err != nil {
		t.Fatal(err)
	}
	const want = "export tcp 10.0.0.1 40000 10.0.0.9 80\n"
	if string(state) != want {
		t.Errorf("exported %q, want %q", state, want)
	}
	if err := m.Import(t.Context(), lock.Exec, super, state); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(kept); err != nil || string(got) != want {
		t.Errorf("imported %q (%v), want %q", got, err, want)
	}
	if err := m.Drop(t.Context(), lock.Exec, super); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kept); !os.IsNotExist(err) {
		t.Errorf("not dropped: %v", err)
	}
}

func TestProgramFails(t *testing.T) {
	tests := []struct {
		name, body, want string
		within           time.Duration
	}{
		{"says why", "echo no such flow >&2; exit 3", `exit status 3: "no such flow"`, time.Minute},
		{"writes without an end", "exec yes", "more than a state may have", 100 * time.Millisecond},
		{"does not end", "while :; do :; done", "took too long", 50 * time.Millisecond},
		{"talks without an end", "yes >&2; exit 1", "took too long", 50 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.within)
			defer cancel()
			_, err := script(t, tt.body).Export(ctx, lock.Exec, super)
			if err == nil || !strings.Contains(err.Error(), tt.want) && !strings.Contains(err.Error(), "took too long") {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
	if _, err := New("").Export(t.Context(), lock.Exec, super); !errors.Is(err, ErrNoProgram) {
		t.Errorf("without a program: error %v, want %v", err, ErrNoProgram)
	}
	if err := New("").Import(t.Context(), lock.Exec, super, make([]byte, MaxState+1)); err == nil || errors.Is(err, ErrNoProgram) {
		t.Errorf("too long a state: error %v", err)
	}
}
