// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"golang.org/x/net/netutil"

	"mbchain/unixsocket"
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
	l, err := unixsocket.Listen(path, debugMode)
	switch {
	case errors.Is(err, unixsocket.ErrOtherFile):
		return nil, fmt.Errorf("listen for profilers on %s: %w: remove it, or name another path", path, err)
	case err != nil:
		return nil, fmt.Errorf("listen for profilers on %s: %w", path, err)
	}
	return &rootOnly{UnixListener: l, user: uint32(os.Geteuid())}, nil
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
	who, err := unixsocket.Peer(conn)
	return err == nil && (who.Uid == 0 || who.Uid == l.user)
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
