// SPDX-License-Identifier: Apache-2.0

package setup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/agentd/internal/session"
	"mbchain/agentd/internal/setup"
	"mbchain/chain"
)

var (
	errReset = errors.New("reset by neighbour")
	errLost  = errors.New("connection lost")
)

// pipe is one direction of a stream.
type pipe struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each change
	queue    []session.Message
	err      error // of the receiver, once the queue is empty
	deadline time.Time
}

func newPipe() *pipe { return &pipe{changed: make(chan struct{})} }

// change needs mu.
func (p *pipe) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) send(m session.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	p.queue = append(p.queue, m)
	p.change()
	return nil
}

// end makes the receiver get err after what was sent, or at once.
func (p *pipe) end(err error, atOnce bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil && !atOnce {
		return
	}
	if atOnce {
		p.queue = nil
	}
	p.err = err
	p.change()
}

func (p *pipe) receive() (session.Message, error) {
	for {
		p.mu.Lock()
		changed, late := p.changed, (<-chan time.Time)(nil)
		if !p.deadline.IsZero() {
			late = time.After(time.Until(p.deadline))
		}
		if len(p.queue) > 0 {
			m := p.queue[0]
			p.queue = p.queue[1:]
			p.mu.Unlock()
			return m, nil
		}
		err := p.err
		p.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-changed:
		case <-late:
			return nil, os.ErrDeadlineExceeded
		}
	}
}

// stream is one end of a stream in memory.
type stream struct {
	in, out   *pipe
	addresses []netip.Addr
	mu        sync.Mutex
	ended     bool
}

func (s *stream) Addresses() []netip.Addr           { return s.addresses }
func (s *stream) Send(m session.Message) error      { return s.out.send(m) }
func (s *stream) Receive() (session.Message, error) { return s.in.receive() }
func (s *stream) Lost(err error) bool               { return errors.Is(err, errLost) }

func (s *stream) Deadline(t time.Time) {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.in.deadline = t
	s.in.change()
}

func (s *stream) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.out.end(io.EOF, false)
}

func (s *stream) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in.end(errReset, true)
	if !s.ended {
		s.out.end(errReset, true)
	}
}

// host is an agent's Service with its module.
type host struct {
	name    string
	address netip.Addr
	module  *agenttest.Module
	service *setup.Service
	log     *bytes.Buffer
	ctx     context.Context
	stop    func()
	closed  atomic.Bool // to sessions that pass it

	observed observed

	mu       sync.Mutex
	replaced chan struct{}
}

func (h *host) hasReplaced() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.replaced
}

// reload puts another module in the place of a host's, and says so.
func (h *host) reload() {
	h.module.Reload()
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.replaced)
	h.replaced = make(chan struct{})
}

// domain is hosts that reach each other.
type domain struct {
	*testing.T
	hosts []*host
	serve sync.WaitGroup

	mu     sync.Mutex
	away   map[string]error // hosts that are not reached, and why
	byHand map[string]chan<- *stream
	losses int // streams that are lost when they are used first
}

func address(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}) }

// newDomain runs client, mb1, ..., server until the test ends.
func newDomain(t *testing.T, middleboxes int) *domain {
	d := &domain{T: t, away: make(map[string]error), byHand: make(map[string]chan<- *stream)}
	for i := range middleboxes + 2 {
		name := fmt.Sprintf("mb%d", i)
		switch i {
		case 0:
			name = "client"
		case middleboxes + 1:
			name = "server"
		}
		h := &host{name: name, address: address(i), module: agenttest.NewModule(), log: new(bytes.Buffer), replaced: make(chan struct{})}
		d.hosts = append(d.hosts, h)
		d.start(h)
	}
	t.Cleanup(func() {
		for _, h := range d.hosts {
			h.stop()
		}
		d.serve.Wait()
	})
	synctest.Wait()
	return d
}

// start runs a host's agent.
func (d *domain) start(h *host) {
	h.service = setup.New(setup.Config{
		Host: h.name, Addresses: func() ([]netip.Addr, error) { return []netip.Addr{h.address}, nil },
		Open:     func(ctx context.Context, to netip.Addr) (setup.Stream, error) { return d.open(ctx, h, to) },
		Replaced: h.hasReplaced, Closed: h.closed.Load, Observer: &h.observed,
		Log: slog.New(slog.NewTextHandler(h.log, nil)),
	}, h.module)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	h.ctx = ctx
	go func() {
		defer close(ended)
		h.service.Run(ctx)
	}()
	h.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
}

func (d *domain) open(_ context.Context, from *host, to netip.Addr) (setup.Stream, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.hosts, func(h *host) bool { return h.address == to })
	if i < 0 {
		return nil, fmt.Errorf("reach %v: nobody there", to)
	}
	h := d.hosts[i]
	if err := d.away[h.name]; err != nil {
		return nil, err
	}
	right, left := newPipe(), newPipe()
	l := &stream{in: left, out: right, addresses: []netip.Addr{h.address}}
	r := &stream{in: right, out: left, addresses: []netip.Addr{from.address}}
	if d.losses > 0 {
		d.losses--
		left.end(errLost, true)
		right.end(errLost, true)
		return l, nil
	}
	if played := d.byHand[h.name]; played != nil {
		played <- r
		return l, nil
	}
	ctx := h.ctx
	d.serve.Go(func() { h.service.Serve(ctx, r) })
	return l, nil
}

// part is a UDP session of the client through all hosts.
func (d *domain) part(first byte) session.Part {
	p := session.Part{ID: chain.SessionID{first}}
	last := d.hosts[len(d.hosts)-1].address
	p.Super = tuple("10.0.0.1:40000", netip.AddrPortFrom(last, 53).String())
	p.Right = tuple("10.0.0.1:50001", "10.0.0.2:50002")
	for _, h := range d.hosts[1:] {
		p.Hops = append(p.Hops, h.address)
	}
	return p
}

func tuple(src, dst string) chain.FiveTuple {
	return chain.FiveTuple{
		Source: netip.MustParseAddrPort(src), Destination: netip.MustParseAddrPort(dst), Protocol: chain.ProtocolUDP,
	}
}
