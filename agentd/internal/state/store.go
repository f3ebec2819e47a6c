// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"mbchain/proto"
)

const (
	recordName = "subpolicy"
	badName    = "subpolicy.bad"
	resetName  = "reset-key"
	tempSuffix = ".tmp"
)

// A Store is one directory.
type Store struct {
	dir *os.File // locked while open

	mu sync.Mutex // the files
}

// Open creates the directory if need be and takes it: [ErrInUse] when another
// process has it.
func Open(path string) (*Store, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create state directory: %w", err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		_ = dir.Close()
		return nil, fmt.Errorf("lock state directory %s: %w", path, err)
	}
	return &Store{dir: dir}, nil
}

// Close gives the directory back.
func (s *Store) Close() error {
	if err := s.dir.Close(); err != nil {
		return fmt.Errorf("close state directory: %w", err)
	}
	return nil
}

// Load returns what was saved last, nil if nothing was. A record that cannot
// be read is set aside, once and for all, and the error is [ErrUnreadable].
func (s *Store) Load() (*proto.Subpolicy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.read()
	if errors.Is(err, ErrUnreadable) {
		if bad := os.Rename(s.path(recordName), s.path(badName)); bad != nil {
			return nil, fmt.Errorf("load subpolicy: %w; set it aside: %v", err, bad)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("load subpolicy: %w", err)
	}
	return sub, nil
}

func (s *Store) read() (*proto.Subpolicy, error) {
	f, err := os.Open(s.path(recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	record, err := io.ReadAll(io.LimitReader(f, int64(headerLen+maxPayload+1)))
	if err != nil {
		return nil, err
	}
	return decode(record)
}

// Save replaces the record. After a crash at any moment the old or the new one
// is there, whole.
func (s *Store) Save(sub *proto.Subpolicy) error {
	record, err := encode(sub)
	if err != nil {
		return fmt.Errorf("save subpolicy: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.replace(recordName, record); err != nil {
		return fmt.Errorf("save subpolicy: %w", err)
	}
	return nil
}

// replace leaves the old content on disk or the new one; mu held.
func (s *Store) replace(name string, content []byte) error {
	temp := s.path(name + tempSuffix)
	if err := writeSynced(temp, content); err != nil {
		return err
	}
	if err := os.Rename(temp, s.path(name)); err != nil {
		return err
	}
	return s.dir.Sync()
}

// writeSynced leaves a file of mode 0600 whose content is on disk. One that an
// earlier crash left there is made anew, with this mode.
func writeSynced(path string, content []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (s *Store) path(name string) string { return filepath.Join(s.dir.Name(), name) }
