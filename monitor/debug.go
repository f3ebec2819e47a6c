// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"
)

const (
	// debugMode lets nobody but the owner of the socket connect.
	debugMode = 0o600
	// maxDebug is how many may look at once.
	maxDebug = 4
	// debugWrite is how long an answer may take: a profile of so many seconds.
	debugWrite = 10 * time.Minute
)

// ListenDebug opens the unix socket at path for [ServeDebug]. A socket that is
// there already is replaced, anything else stays. Closing the listener removes it.
func ListenDebug(path string) (net.Listener, error) {
	l, err := listenDebug(path)
	if err != nil {
		return nil, fmt.Errorf("listen for profilers on %s: %w", path, err)
	}
	return l, nil
}

func listenDebug(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, errors.New("there is a file that is no socket: remove it, or name another path")
	default:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// The socket gets its mode when it comes to be: set afterwards, there would
	// be a moment with another one.
	old := unix.Umask(0o777 &^ debugMode)
	defer unix.Umask(old)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return &rootOnly{UnixListener: l.(*net.UnixListener), user: uint32(os.Geteuid())}, nil
}

// rootOnly takes connections of root, and of the user that the program runs as,
// and closes all others: the mode of a socket can be changed, and is not looked at
// for who has it open already.
type rootOnly struct {
	*net.UnixListener
	user uint32
}

// Accept implements [net.Listener].
func (l *rootOnly) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if l.admits(conn) {
			return conn, nil
		}
		_ = conn.Close()
	}
}

func (l *rootOnly) admits(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var who *unix.Ucred
	if lost := raw.Control(func(fd uintptr) {
		who, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); lost != nil || err != nil {
		return false
	}
	return who.Uid == 0 || who.Uid == l.user
}

// ServeDebug shows profiles on l until ctx is done, and closes l.
func ServeDebug(ctx context.Context, l net.Listener, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return serve(ctx, netutil.LimitListener(l, maxDebug), &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout,
		WriteTimeout:      debugWrite,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	})
}
