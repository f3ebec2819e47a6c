// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func wantLoaded(t *testing.T, s *Store, want *proto.Subpolicy) {
	t.Helper()
	got, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
}

func TestStoreReturnsWhatWasSavedLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, path)
	wantLoaded(t, s, nil)
	for version := range uint64(3) {
		if err := s.Save(&proto.Subpolicy{Version: version}); err != nil {
			t.Fatal(err)
		}
	}
	wantLoaded(t, s, &proto.Subpolicy{Version: 2})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantLoaded(t, open(t, path), &proto.Subpolicy{Version: 2})
}

func TestStoreKeepsItsFilesPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := open(t, path)
	// A crash may leave a temporary file behind, with whatever mode.
	if err := os.WriteFile(filepath.Join(path, recordName+tempSuffix), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(small()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{".": 0o700, recordName: 0o600} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s is %o, want %o", name, got, want)
		}
	}
	wantLoaded(t, s, small())
}

func TestStoreSetsAsideWhatItCannotRead(t *testing.T) {
	path := t.TempDir()
	s := open(t, path)
	if err := os.WriteFile(filepath.Join(path, recordName), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if sub, err := s.Load(); !errors.Is(err, ErrUnreadable) || sub != nil {
		t.Fatalf("load: %v, %v, want ErrUnreadable", sub, err)
	}
	kept, err := os.ReadFile(filepath.Join(path, badName))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("garbage", string(kept)); diff != "" {
		t.Errorf("set aside (-want +got):\n%s", diff)
	}
	wantLoaded(t, s, nil)
	if err := s.Save(small()); err != nil {
		t.Fatal(err)
	}
	wantLoaded(t, s, small())
}

func TestStoreIsForOneProcess(t *testing.T) {
	path := t.TempDir()
	s := open(t, path)
	if _, err := Open(path); !errors.Is(err, ErrInUse) {
		t.Fatalf("open a second time: %v, want ErrInUse", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestResetKeyIsTheSameAtEachStart(t *testing.T) {
	path := t.TempDir()
	resetKey := func() ResetKey {
		t.Helper()
		s := open(t, path)
		key, err := s.ResetKey()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return key
	}
	first := resetKey()
	if first == (ResetKey{}) {
		t.Error("the key is empty")
	}
	if again := resetKey(); again != first {
		t.Errorf("key %x, was %x", again, first)
	}
	if err := os.WriteFile(filepath.Join(path, resetName), []byte("cut off"), 0o600); err != nil {
		t.Fatal(err)
	}
	if other := resetKey(); other == first || other != resetKey() {
		t.Errorf("key %x in place of one that was cut off, was %x", other, first)
	}
	info, err := os.Stat(filepath.Join(path, resetName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("reset key: %v, error %v, want mode 0600", info, err)
	}
}
