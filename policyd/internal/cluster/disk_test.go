// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// newDir returns a data directory with a snapshot and a log that goes on
// from it.
func newDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	r := start(t, dir)
	fill(t, r, trailingEntries+10)
	if err := r.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	fill(t, r, 3)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyDir returns a copy of dir.
func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestOpenRefusesADamagedDirectory(t *testing.T) {
	whole := newDir(t)
	db := func(dir string) string { return filepath.Join(dir, "raft.db") }
	snapshot := func(t *testing.T, dir, file string) string {
		found, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", file))
		if err != nil || len(found) != 1 {
			t.Fatalf("snapshots %v, error %v", found, err)
		}
		return found[0]
	}
	overwrite := func(t *testing.T, path string, at int64, with string) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt([]byte(with), at)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	must := func(t *testing.T, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}

	tests := []struct {
		name   string
		damage func(t *testing.T, dir string)
	}{
		{"log is not a database", func(t *testing.T, dir string) {
			must(t, os.WriteFile(db(dir), []byte(strings.Repeat("garbage ", 8192)), 0o600))
		}},
		{"log is cut to a quarter", func(t *testing.T, dir string) {
			info, err := os.Stat(db(dir))
			must(t, err)
			must(t, os.Truncate(db(dir), info.Size()/4))
		}},
		{"log is cut to its first pages", func(t *testing.T, dir string) {
			must(t, os.Truncate(db(dir), 4*4096))
		}},
		{"log is empty", func(t *testing.T, dir string) {
			must(t, os.Truncate(db(dir), 0))
		}},
		{"log is gone", func(t *testing.T, dir string) {
			must(t, os.Remove(db(dir)))
		}},
		{"log and snapshots are gone", func(t *testing.T, dir string) {
			must(t, os.Remove(db(dir)))
			must(t, os.RemoveAll(filepath.Join(dir, "snapshots")))
		}},
		{"both meta pages are overwritten", func(t *testing.T, dir string) {
			overwrite(t, db(dir), 0, strings.Repeat("x", 2*4096))
		}},
		{"pages are overwritten", func(t *testing.T, dir string) {
			info, err := os.Stat(db(dir))
			must(t, err)
			overwrite(t, db(dir), 2*4096, strings.Repeat("\xff", int(info.Size())-2*4096))
		}},
		{"snapshot is overwritten", func(t *testing.T, dir string) {
			overwrite(t, snapshot(t, dir, "state.bin"), 10, "xxxx")
		}},
		{"snapshot is gone", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(filepath.Join(dir, "snapshots")))
		}},
		{"snapshot has lost its description", func(t *testing.T, dir string) {
			must(t, os.Remove(snapshot(t, dir, "meta.json")))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := copyDir(t, whole)
			tt.damage(t, dir)
			n, err := Open(t.Context(), Config{ID: "p1", Dir: dir, Logger: testLogger(t)})
			if err == nil {
				n.Close()
				t.Fatal("opened")
			}
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("error %v, want %v", err, ErrDamaged)
			}
			for _, want := range []string{dir, "mv " + dir, "mbctl policy apply"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q: %v", want, err)
				}
			}
		})
	}
}

// A log cut anywhere is refused, or was cut behind all that was ever used:
// bbolt makes its file grow in large steps.
func TestOpenRefusesALogCutAnywhere(t *testing.T) {
	whole := newDir(t)
	r := start(t, whole)
	want := r.state(t)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(whole, "raft.db"))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range int64(16) {
		dir := copyDir(t, whole)
		if err := os.Truncate(filepath.Join(dir, "raft.db"), info.Size()*i/16); err != nil {
			t.Fatal(err)
		}
		n, err := Open(t.Context(), Config{ID: "p1", Dir: dir, Logger: testLogger(t)})
		if err != nil {
			refused++
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("cut to %d/16: error %v, want %v", i, err, ErrDamaged)
			}
			continue
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		r := start(t, dir)
		if d := diff(want, r.state(t)); d != "" {
			t.Errorf("cut to %d/16: state (-want +got):\n%s", i, d)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	if refused < 4 {
		t.Errorf("%d of 16 cuts were refused", refused)
	}
}

func TestRunStopsAtALogOfANewerProgram(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	if err := r.raft.Apply([]byte(`{"version":4}`), 0).Error(); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), Config{ID: "p1", Dir: dir, Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	err = n.Run(t.Context(), office(nil))
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "version 4, this program knows 2 to 3") {
		t.Errorf("error %v", err)
	}
}

// Raft writes the term before the first entry. A start killed in between left
// a directory that Raft takes for a state, without any voter in it.
func TestOpenBeginsAgainAfterAStartCutShort(t *testing.T) {
	dir := t.TempDir()
	d, err := openDisk(dir, raftLogger(testLogger(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.log.SetUint64(currentTerm, 1); err != nil {
		t.Fatal(err)
	}
	if has, err := raft.HasExistingState(d.log, d.log, d.snaps); err != nil || !has {
		t.Fatalf("has state %t, error %v", has, err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if !start(t, dir).state(t).IsSetUp() {
		t.Error("the state is not set up")
	}
}

func TestDataDirectoryIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	start(t, dir)
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		t.Errorf("mode %o, want 700: it holds the set-up keys", mode)
	}
}
