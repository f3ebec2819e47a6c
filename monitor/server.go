// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// Limits of what a scraper may do: one that is slow, or asks for much, costs
// nothing but its own connection.
const (
	maxConns   = 32      // more wait until one of them is over
	maxScrapes = 4       // at the same time: two servers, and a person
	maxHeader  = 8 << 10 // bytes; a scraper sends some hundred

	headerTimeout = 5 * time.Second
	scrapeTimeout = 8 * time.Second  // less than Prometheus waits by default
	readTimeout   = 10 * time.Second // longer: it ends the request's context
	writeTimeout  = 15 * time.Second
	idleTimeout   = 2 * time.Minute // longer than the usual time between two scrapes
	readyTimeout  = 2 * time.Second
	stopTimeout   = 2 * time.Second // for answers under way when the program stops
)

// A Server answers whoever watches a program.
type Server struct {
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// Ready says why the program cannot do its work now; nil: it can.
	Ready func(ctx context.Context) error
	Log   *slog.Logger
}

// Control is called for a socket before it is bound; see [net.ListenConfig].
type Control func(network, address string, c syscall.RawConn) error

// Listen opens a port for [Server.Serve]; control may be nil.
func Listen(ctx context.Context, address string, control Control) (net.Listener, error) {
	l, err := (&net.ListenConfig{Control: control}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for scrapers on %s: %w", address, err)
	}
	return l, nil
}

// Serve answers on l until ctx is done, and closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return serve(ctx, netutil.LimitListener(l, maxConns), &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	})
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
		// What can be read is worth more than an error.
		ErrorHandling: promhttp.ContinueOnError,
		ErrorLog:      slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", s.ready)
	return withoutBody(mux)
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		say(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
		return
	}
	say(w, http.StatusOK, "ready")
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n")
}

// withoutBody refuses requests with a body: no page takes one.
func withoutBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			say(w, http.StatusRequestEntityTooLarge, "no page takes a body")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serve runs srv on l until ctx is done.
func serve(ctx context.Context, l net.Listener, srv *http.Server) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if srv.Shutdown(wait) != nil {
			_ = srv.Close()
		}
	})
	err := srv.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", l.Addr(), errors.Join(err, srv.Close()))
}
