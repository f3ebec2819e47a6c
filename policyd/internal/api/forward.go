// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mbchain/policyd/internal/cluster"
	"mbchain/proto/protoconnect"
)

// errNoAddress: the state does not say yet where the leader is.
var errNoAddress = errors.New("it is not known where the leader is: is its --advertise right?")

// maxRestores is how many snapshots may be read at once, each of up to
// maxSnapshotRequest in memory.
const maxRestores = 2

// localCalls are those that every node answers itself.
var localCalls = map[string]bool{
	protoconnect.PolicyServiceExplainProcedure:     true,
	protoconnect.ClusterServiceGetNodeProcedure:    true,
	protoconnect.ClusterServiceGetClusterProcedure: true,
}

// readCalls are those that a node answers itself if it is asked to.
var readCalls = map[string]bool{
	protoconnect.PolicyServiceGetProcedure:       true,
	protoconnect.PolicyServiceCheckProcedure:     true,
	protoconnect.DomainServiceGetStatusProcedure: true,
}

// route answers here what is for this node, and passes on to the leader what
// is for it. While no leader is known, every node answers what it can.
func (s *Server) route(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leader, changed := s.Cluster.Leader()
		local := localCalls[r.URL.Path] || readCalls[r.URL.Path] && r.Header.Get(headerRead) == readLocal
		if !local && leader.Name != "" && !leader.Here && r.Header.Get(headerForwarded) == "" {
			s.forward(w, r, leader, changed)
			return
		}
		if r.URL.Path == protoconnect.ClusterServiceRestoreSnapshotProcedure {
			select {
			case s.restores <- struct{}{}:
				defer func() { <-s.restores }()
			default:
				s.refuse(w, r, connect.NewError(connect.CodeResourceExhausted,
					fmt.Errorf("restore: %d snapshots are being read, try again later", maxRestores)))
				return
			}
		}
		w.Header().Set(headerNode, s.Cluster.Status().ID)
		if state, err := s.Cluster.Copy(); err == nil {
			w.Header().Set(headerIndex, strconv.FormatUint(state.Index, 10))
		}
		next.ServeHTTP(w, r)
	})
}

// forward passes a request on, and the answer back. The stream of an agent ends
// when another node leads: the agent is to find that one.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, leader cluster.Leader, changed <-chan struct{}) {
	if leader.Address == "" {
		s.refuse(w, r, tryAgain(connect.NewError(connect.CodeUnavailable, fmt.Errorf("leader %s: %w", leader.Name, errNoAddress)), nothingDone))
		return
	}
	if r.URL.Path == protoconnect.AgentServiceSubscribeProcedure {
		ctx, cancel := context.WithCancel(r.Context())
		var watch sync.WaitGroup
		defer watch.Wait()
		defer cancel()
		watch.Go(func() {
			select {
			case <-changed:
				cancel()
			case <-ctx.Done():
			}
		})
		r = r.WithContext(ctx)
		w = newPushWriter(w, s.PushTimeout)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = s.others.scheme(), leader.Address, leader.Address
			p.Out.Header.Set(headerForwarded, s.Cluster.Status().ID)
			p.Out.Header.Set(headerCaller, callerIn(r.Context()).header())
		},
		Transport:     s.others,
		FlushInterval: -1, // each push at once
		BufferPool:    &s.buffers,
		ErrorLog:      slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			s.refuse(w, r, notForwarded(leader, err))
		},
	}
	proxy.ServeHTTP(w, r)
}

// buffers are what answers that are passed on are copied through. Each acknowledgement of
// each host would take a new one.
type buffers struct{ pool sync.Pool }

// bufferSize is what httputil takes by itself, in bytes.
const bufferSize = 32 << 10

// Get implements [httputil.BufferPool].
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p[:]
	}
	return make([]byte, bufferSize)
}

// Put implements [httputil.BufferPool].
func (b *buffers) Put(p []byte) { b.pool.Put((*[bufferSize]byte)(p)) }

// notForwarded tells what never reached the leader from what may have.
func notForwarded(leader cluster.Leader, err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return tryAgain(connect.NewError(connect.CodeUnavailable, fmt.Errorf("leader %s cannot be reached: %w", leader.Name, err)), nothingDone)
	}
	return tryAgain(connect.NewError(connect.CodeUnavailable, fmt.Errorf("leader %s did not answer: %w: %w",
		leader.Name, cluster.ErrUnknownOutcome, err)), outcomeUnknown)
}

// refuse answers with an error in the form of the protocol that r speaks.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if s.errors.IsSupported(r) {
		_ = s.errors.Write(w, r, err) // who asked is gone
		return
	}
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}

// pushWriter gives each push of a forwarded stream its time, as sendWithin does.
type pushWriter struct {
	http.ResponseWriter
	controller *http.ResponseController
	limit      time.Duration
}

func newPushWriter(w http.ResponseWriter, limit time.Duration) *pushWriter {
	p := &pushWriter{w, http.NewResponseController(w), limit}
	none := time.Time{}
	// A connection that is gone already shows itself at the next write.
	_ = p.controller.SetReadDeadline(none)
	_ = p.controller.SetWriteDeadline(none)
	return p
}

// Unwrap is for [http.ResponseController].
func (p *pushWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *pushWriter) Write(b []byte) (int, error) {
	if err := p.controller.SetWriteDeadline(time.Now().Add(p.limit)); err != nil {
		return 0, err
	}
	n, err := p.ResponseWriter.Write(b)
	if err == nil {
		err = p.controller.Flush()
	}
	if err == nil {
		err = p.controller.SetWriteDeadline(time.Time{})
	}
	return n, err
}
