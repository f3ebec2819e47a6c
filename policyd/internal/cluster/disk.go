// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"mbchain/policyd/internal/store"
)

// keptSnapshots is one to use and one to look at when that one is damaged.
const keptSnapshots = 2

// bboltTimeout bounds the wait for a lock that is ours already, with the one
// on the directory.
const bboltTimeout = time.Second

// currentTerm is Raft's key of the first thing it ever writes.
var currentTerm = []byte("CurrentTerm")

// disk is the open data directory.
type disk struct {
	dir   string
	lock  *os.File
	log   *raftboltdb.BoltStore
	snaps *raft.FileSnapshotStore
	empty bool // holds no state yet
}

// openDisk locks dir, opens what it holds and reads all of it once.
func openDisk(dir string, logger hclog.Logger) (_ *disk, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil { // holds the CA's key and the set-up keys
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	d := &disk{dir: dir}
	if d.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	d.snaps, err = raft.NewFileSnapshotStoreWithLogger(dir, keptSnapshots, logger)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Join(dir, "snapshots"), err)
	}
	if err := d.openLog(); err != nil {
		return nil, err
	}
	return d, nil
}

// openLog opens raft.db and checks it. What bbolt meets in a damaged file it
// answers with a panic or, beyond the end of a file cut short, with a fault.
func (d *disk) openLog() (err error) {
	path := filepath.Join(d.dir, "raft.db")
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = d.damaged(fmt.Errorf("read %s: %v", path, p))
		}
	}()
	if err := checkLength(path); err != nil {
		return d.damaged(err)
	}
	d.log, err = raftboltdb.New(raftboltdb.Options{
		Path:        path,
		BoltOptions: &bbolt.Options{Timeout: bboltTimeout},
	})
	if err != nil {
		return d.damaged(fmt.Errorf("open %s: %w", path, err))
	}
	if err := d.check(); err != nil {
		return d.damaged(err)
	}
	return nil
}

// checkLength refuses a database that was cut short, also where only pages are
// missing that are not in use now. bbolt itself does not look.
func checkLength(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil // bbolt makes a new one
	}
	if err != nil {
		return err
	}
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, Timeout: bboltTimeout})
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%s has %d bytes, of %d", path, info.Size(), tx.Size())
		}
		return nil
	})
}

// check reads the newest snapshot and every entry of the log, and finds out
// whether the two together are a whole state.
func (d *disk) check() error {
	snapshot, err := d.checkSnapshot()
	if err != nil {
		return err
	}
	first, err := d.log.FirstIndex()
	if err != nil {
		return fmt.Errorf("read first log index: %w", err)
	}
	last, err := d.log.LastIndex()
	if err != nil {
		return fmt.Errorf("read last log index: %w", err)
	}
	for i := first; i != 0 && i <= last; i++ {
		var entry raft.Log
		if err := d.log.GetLog(i, &entry); err != nil {
			return fmt.Errorf("read log entry %d: %w", i, err)
		}
		if entry.Index != i {
			return fmt.Errorf("read log entry %d: it says that it is %d", i, entry.Index)
		}
	}
	if last > snapshot && first > snapshot+1 {
		return fmt.Errorf("log begins with entry %d, the newest snapshot ends with %d", first, snapshot)
	}
	d.empty = last == 0 && snapshot == 0
	term, err := d.log.GetUint64(currentTerm)
	if err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return fmt.Errorf("read current term: %w", err)
	}
	if d.wasBootstrapped() && (d.empty || term == 0) {
		return errors.New("the log that was in raft.db is not there")
	}
	return nil
}

// checkSnapshot returns the index of the newest snapshot, 0 if there is none.
// Raft would silently fall back to an older one.
func (d *disk) checkSnapshot() (uint64, error) {
	list, err := d.snaps.List()
	if err != nil {
		return 0, fmt.Errorf("list snapshots: %w", err)
	}
	if len(list) == 0 {
		return 0, nil
	}
	_, r, err := d.snaps.Open(list[0].ID) // checks the checksum
	if err != nil {
		return 0, fmt.Errorf("open snapshot %s: %w", list[0].ID, err)
	}
	defer r.Close()
	if _, err := store.ReadSnapshot(r); err != nil {
		return 0, fmt.Errorf("snapshot %s: %w", list[0].ID, err)
	}
	return list[0].Index, nil
}

// damaged tells the operator the way out. Nothing is repaired here: the policy
// is in the operator's own file, everything else comes back by itself.
func (d *disk) damaged(cause error) error {
	if errors.Is(cause, os.ErrPermission) {
		return fmt.Errorf("open data directory %s: %w", d.dir, cause)
	}
	return fmt.Errorf("open data directory %s: %w (or written by a newer policyd: then start that one): %w; "+
		"sessions go on meanwhile; to begin anew, move it away (mv %s %s.damaged); then, if other nodes are alive, "+
		"join them (mbctl cluster join NAME says how); if not, keep the CA "+
		"(mkdir -m 700 %s && cp %s.damaged/ca.pem %s/), start policyd "+
		"and apply the policy again (mbctl policy apply FILE): hosts register by themselves",
		d.dir, ErrDamaged, cause, d.dir, d.dir, d.dir, d.dir, d.dir)
}

func (d *disk) bootstrappedPath() string { return filepath.Join(d.dir, "bootstrapped") }

// recoveredPath is there once the node was made the only voter.
func (d *disk) recoveredPath() string { return filepath.Join(d.dir, "recovered") }

func (d *disk) wasBootstrapped() bool {
	_, err := os.Stat(d.bootstrappedPath())
	return err == nil
}

// markBootstrapped makes a log that vanishes later a sign of damage. It comes
// after the log's first entry: a start that was cut short begins again.
func (d *disk) markBootstrapped() error { return d.mark(d.bootstrappedPath()) }

// mark makes an empty file that lasts.
func (d *disk) mark(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("mark data directory: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close(), d.syncNames()); err != nil {
		return fmt.Errorf("mark data directory: %w", err)
	}
	return nil
}

// syncNames makes the names in the directory as lasting as what is in the
// files: bbolt sees to its own file alone.
func (d *disk) syncNames() error {
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// close gives the directory back.
func (d *disk) close() error {
	var err error
	if d.log != nil {
		err = d.log.Close()
	}
	return errors.Join(err, d.lock.Close())
}
