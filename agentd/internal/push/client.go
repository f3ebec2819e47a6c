// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mbchain/agentd/internal/subpolicy"
	"mbchain/proto"
)

// A Handler is who the pushes are for. Its methods are called from several
// goroutines.
type Handler interface {
	// Registration returns what policyd should know of this host now, and the
	// subpolicy that it has, of which it may be pushed a change; nil: none. The
	// client fills in the host's name and the digest.
	Registration(ctx context.Context) (*proto.SubscribeRequest, *proto.Subpolicy)
	// Running returns the version of the subpolicy in force; 0: none.
	Running() uint64
	// Offer takes a subpolicy; [Client.Acknowledge] answers it. The
	// subpolicy is the handler's.
	Offer(ctx context.Context, ref subpolicy.Ref, sub *proto.Subpolicy)
	// Answer answers a query. Host and nonce are filled in by the client.
	Answer(ctx context.Context, query *proto.Query) *proto.AnswerRequest
}

// Config says whom a [Client] follows, and how.
type Config struct {
	Host    string   // this host's name
	Policyd []string // addresses and ports of the policyds, any of which will do; at least one
	Log     *slog.Logger
	// TLS shows this host's certificate, and takes policyd's and no other. Nil: no
	// TLS at all, which is for tests of this package.
	TLS *tls.Config
	// Refused is called when policyd does not take this host's certificate, or not
	// for what it is used for; nil: nobody wants to know.
	Refused func(certificate bool)
	// Revoked is told which hosts' certificates are not valid any more, by the
	// epoch from which on they are, in place of those before; nil: nobody is.
	Revoked func(epochs map[string]uint32)
	// Misfit is told why a change of a subpolicy was refused, a word of
	// [delta.Reasons]; nil: nobody is.
	Misfit func(reason string)
	// Dial opens a TCP connection; nil: as the system does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Random returns numbers in [0, 1); nil: unpredictable ones.
	Random func() float64
}

// A Client follows policyd.
type Client struct {
	config Config

	mu      sync.Mutex
	streams uint64         // subscriptions begun; the number of the last one
	current *stream        // nil: none
	server  int            // which of Config.Policyd it follows or tries
	ahead   *time.Duration // of this host's clock before policyd's; nil: not known
}

// New returns a client that has not dialled yet.
func New(config Config) *Client {
	if config.Dial == nil {
		config.Dial = (&net.Dialer{Timeout: callTimeout}).DialContext
	}
	if config.Random == nil {
		config.Random = rand.Float64
	}
	return &Client{config: config}
}

// Address returns which policyd the client follows or tries to reach.
func (c *Client) Address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config.Policyd[c.server]
}

// next turns to the next policyd.
func (c *Client) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = (c.server + 1) % len(c.config.Policyd)
}

// Run follows policyd until ctx is done, and returns ctx's error.
func (c *Client) Run(ctx context.Context, h Handler) error {
	p := pause{random: c.config.Random}
	told := map[string]string{} // the failure that was logged last, by policyd
	tried := 0                  // policyds in a row that did not let it subscribe
	for {
		began := time.Now()
		address := c.Address()
		log := c.config.Log.With("policyd", address)
		connected, err := c.follow(ctx, h, log)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// A subscription that ends at once again and again, because
		// another host has taken this one's name, is no success.
		if connected && time.Since(began) > MaxPause {
			p.reset()
		}
		c.tellRefused(err)
		c.next()
		if tried++; connected {
			tried = 0
		}
		var d time.Duration
		if connected || tried%len(c.config.Policyd) == 0 {
			d = p.take() // all are away, or this one was not: let it settle
		}
		level := slog.LevelDebug
		if connected || told[address] != err.Error() {
			level, told[address] = slog.LevelWarn, err.Error()
		}
		log.Log(ctx, level, "not subscribed", "error", err, "retry_in", d)
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tellRefused tells that policyd did not take the certificate.
func (c *Client) tellRefused(err error) {
	code := connect.CodeOf(err)
	if c.config.Refused != nil && (code == connect.CodeUnauthenticated || code == connect.CodePermissionDenied) {
		c.config.Refused(code == connect.CodeUnauthenticated)
	}
}

// follow opens one subscription and follows it to its end. It reports whether
// policyd pushed anything.
func (c *Client) follow(ctx context.Context, h Handler, log *slog.Logger) (bool, error) {
	c.mu.Lock()
	c.streams++
	s := newStream(c.config, c.config.Policyd[c.server], c.streams)
	s.heard = c.heard
	c.mu.Unlock()

	err := s.run(ctx, h, func() {
		log.Info("subscribed")
		c.mu.Lock()
		defer c.mu.Unlock()
		c.current = s
	})

	c.mu.Lock()
	defer c.mu.Unlock()
	connected := c.current == s
	c.current, c.ahead = nil, nil
	return connected, err
}

// Connected reports whether policyd can reach this host now.
func (c *Client) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current != nil
}

// heard notes what time it is at policyd.
func (c *Client) heard(at time.Time) {
	ahead := time.Since(at)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = &ahead
}

// Ahead returns how far this host's clock was ahead of policyd's when policyd last told
// the time, with the way of that packet in it; false while that is not known.
func (c *Client) Ahead() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ahead == nil {
		return 0, false
	}
	return *c.ahead, true
}

// Acknowledge tells policyd what became of an offer. It returns when the
// answer is on its way, or when nobody waits for it any more: an offer whose
// subscription ended is made again on the next one.
func (c *Client) Acknowledge(ctx context.Context, a subpolicy.Acknowledge) {
	c.mu.Lock()
	s := c.current
	c.mu.Unlock()
	if s == nil || s.number != a.Ref.Stream {
		return
	}
	s.acknowledge(ctx, a)
}

// Resubscribe ends the subscription, if there is one, so that the next one
// registers the host anew.
func (c *Client) Resubscribe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		c.current.cancel(errAgain)
	}
}

var (
	errAgain  = errors.New("the host is to be registered anew")
	errEnded  = errors.New("policyd ended the subscription")
	errSilent = fmt.Errorf("policyd was silent for %v", Silence)
)
