// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"mbchain/unixsocket"
)

const (
	// socketMode lets the owner and the group of the socket connect.
	socketMode = 0o660
	lockSuffix = ".lock"
)

// Listen opens the unix socket at path, [ErrInUse] when another process serves
// it. Closing the listener removes the socket. The lock lasts until the
// process ends or the listener is closed.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("create socket directory: %w", err)
	}
	lock, err := lockFile(path + lockSuffix)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	ln, err := unixsocket.Listen(path, socketMode) // nobody serves it: we have the lock
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &listener{Listener: ln, lock: lock}, nil
}

func lockFile(path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	return lock, nil
}

type listener struct {
	net.Listener
	lock *os.File
}

// Close removes the socket and then gives the lock back. The lock's file
// stays: who removes it may remove that of a successor.
func (l *listener) Close() error { return errors.Join(l.Listener.Close(), l.lock.Close()) }
