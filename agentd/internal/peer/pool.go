// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	// dialTime is how long a connection may take to open: a host that is
	// there answers in a few round trips, and takes its time where processors
	// are slow.
	dialTime = 3 * time.Second
	// firstPause follows the first failure to reach a host. It doubles with
	// each further one, up to lastPause.
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
	// coolTime is how long a connection is kept that nobody uses.
	coolTime = 10 * time.Minute
	// maxLinks is how many hosts are remembered at once, for a neighbour says
	// which one is next. The one that was not asked for the longest time goes.
	maxLinks = 4096
)

// pool keeps one connection to each host that is asked.
type pool struct {
	dial func(ctx context.Context, host netip.Addr) (*quic.Conn, error)
	lost func(host netip.Addr) // a connection was, and not by this pool's doing; may be nil
	log  *slog.Logger

	dials sync.WaitGroup

	mu     sync.Mutex
	links  map[netip.Addr]*link
	closed bool
}

// link is a host that is asked, or was; pool.mu protects it.
type link struct {
	conn    *quic.Conn    // nil: none
	expires time.Time     // the certificate at its other end
	dialing chan struct{} // closed when the attempt is over; nil: there is none
	err     error         // of the last attempt
	again   time.Time     // when the next one may begin
	pause   time.Duration
	used    time.Time
}

// get returns a connection to a host, and opens one if there is none. While
// the host was not reached a moment ago it fails at once.
func (p *pool) get(ctx context.Context, host netip.Addr) (*quic.Conn, error) {
	for {
		conn, wait, err := p.look(ctx, host)
		if conn != nil || err != nil {
			return conn, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// look returns a connection, or a channel to wait for before the next look.
func (p *pool) look(ctx context.Context, host netip.Addr) (*quic.Conn, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, fmt.Errorf("reach %v: %w", host, net.ErrClosed)
	}
	l, now := p.link(host), time.Now()
	l.used = now
	if l.conn != nil && l.conn.Context().Err() == nil && now.Before(l.expires) {
		return l.conn, nil, nil
	}
	if l.dialing != nil {
		return nil, l.dialing, nil
	}
	if now.Before(l.again) {
		return nil, nil, fmt.Errorf("reach %v: %w", host, l.err)
	}
	if l.conn != nil {
		_ = l.conn.CloseWithError(codeOver, "certificate expired")
		l.conn = nil
	}
	l.dialing = make(chan struct{})
	// Others wait for it too, so it does not end with who came first.
	p.dials.Go(func() { p.open(context.WithoutCancel(ctx), host, l) })
	return nil, l.dialing, nil
}

func (p *pool) open(ctx context.Context, host netip.Addr, l *link) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := p.dial(ctx, host)
	p.mu.Lock()
	defer p.mu.Unlock()
	failed := l.err != nil
	close(l.dialing)
	l.dialing, l.conn, l.err = nil, conn, err
	if err != nil {
		l.pause = min(max(2*l.pause, firstPause), lastPause)
		l.again = time.Now().Add(l.pause)
		if !failed {
			p.log.Warn("neighbour not reached", "peer", host, "error", err)
		}
		return
	}
	l.pause = 0
	l.expires = conn.ConnectionState().TLS.PeerCertificates[0].NotAfter
	if failed {
		p.log.Info("neighbour reached again", "peer", host)
	}
	if p.lost != nil {
		context.AfterFunc(conn.Context(), func() { p.mourn(host, conn) })
	}
	if p.links[host] != l { // closed, or forgotten meanwhile
		_ = conn.CloseWithError(codeOver, "")
	}
}

// mourn tells of a connection that is lost, unless it was closed here.
func (p *pool) mourn(host netip.Addr, conn *quic.Conn) {
	var closed *quic.ApplicationError
	if errors.As(context.Cause(conn.Context()), &closed) && !closed.Remote {
		return
	}
	p.lost(host)
}

// link needs mu.
func (p *pool) link(host netip.Addr) *link {
	l := p.links[host]
	if l == nil {
		if len(p.links) >= maxLinks {
			p.forgetOldest()
		}
		l = new(link)
		p.links[host] = l
	}
	return l
}

func (p *pool) forgetOldest() {
	var oldest netip.Addr
	for host, l := range p.links {
		if !oldest.IsValid() || l.used.Before(p.links[oldest].used) {
			oldest = host
		}
	}
	p.forget(oldest, "too many neighbours")
}

func (p *pool) forget(host netip.Addr, why string) {
	if conn := p.links[host].conn; conn != nil {
		_ = conn.CloseWithError(codeOver, why)
	}
	delete(p.links, host)
}

// revoke forgets the connections to hosts whose certificates are not valid.
func (p *pool) revoke(valid func(*x509.Certificate) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for host, l := range p.links {
		if l.conn != nil && valid(l.conn.ConnectionState().TLS.PeerCertificates[0]) != nil {
			p.forget(host, "the certificate was revoked")
		}
	}
}

// sweep forgets what was not used for a while.
func (p *pool) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for host, l := range p.links {
		if l.dialing == nil && now.Sub(l.used) > coolTime {
			p.forget(host, "not used")
		}
	}
}

// close closes all there is; nobody may get a connection any more.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for host := range p.links {
		p.forget(host, "agentd stops")
	}
	p.mu.Unlock()
}

// wait returns when nothing is under way any more.
func (p *pool) wait() { p.dials.Wait() }
