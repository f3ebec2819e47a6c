// SPDX-License-Identifier: Apache-2.0

package self

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"mbchain/identity"
)

func newCA(t *testing.T) []byte {
	t.Helper()
	ca, err := identity.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text, err := ca.PEM()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func open(t *testing.T, dir string) *Self {
	t.Helper()
	s, err := Open(dir, "policyd1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSelfKeepsTheCAOverARestart(t *testing.T) {
	dir, ca := t.TempDir(), newCA(t)
	s := open(t, dir)
	if _, err := s.Bundle(); !errors.Is(err, ErrNone) {
		t.Errorf("before it knows the CA: %v", err)
	}
	if err := s.Use(ca, 0); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, caFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file %v, error %v", info, err)
	}
	again := open(t, dir)
	if string(again.CA()) != string(ca) {
		t.Error("another CA after a restart")
	}
	b, err := again.Bundle()
	if err != nil || b.Subject().Role != identity.Policyd || b.Subject().Name != "policyd1" {
		t.Errorf("bundle %v, error %v", b, err)
	}
}

func TestSelfRenewsItsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		if err := s.Use(newCA(t), 0); err != nil {
			t.Fatal(err)
		}
		first, err := s.Bundle()
		if err != nil {
			t.Fatal(err)
		}
		if same, _ := s.Bundle(); same != first {
			t.Error("another certificate for each connection")
		}
		// However long nobody asked.
		for _, away := range []time.Duration{identity.DaemonLife / 2, 400 * 24 * time.Hour} {
			time.Sleep(away)
			b, err := s.Bundle()
			if err != nil || b == first || time.Now().After(b.Leaf.NotAfter) {
				t.Errorf("after %v: valid to %v, error %v", away, b.Leaf.NotAfter, err)
			}
		}
	})
}

// A voter that joined with a token has its epoch in the state.
func TestSelfHasItsEpoch(t *testing.T) {
	s, ca := open(t, t.TempDir()), newCA(t)
	for _, epoch := range []uint32{0, 1, 3} {
		if err := s.Use(ca, epoch); err != nil {
			t.Fatal(err)
		}
		if b, err := s.Bundle(); err != nil || b.Subject().Epoch != epoch {
			t.Errorf("bundle %v, error %v, want epoch %d", b, err, epoch)
		}
	}
}

func TestSelfRefusesADamagedCA(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, caFile), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "policyd1"); !errors.Is(err, identity.ErrMalformed) {
		t.Errorf("error %v", err)
	}
}
