// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"fmt"
	"os"
	"sync"

	"mbchain/chain"
	"mbchain/genl/internal/uapi"
)

// A Client asks and orders the module of one network namespace.
type Client struct {
	dial Dialer

	mu     sync.Mutex // one request at a time
	link   *link      // nil: to be dialled again
	closed bool
}

// New returns a client for the network namespace of the calling thread.
// [ErrNotSupported] when the module is not loaded. It dials again, in the namespace
// of the thread that asks then, after a request whose context ended: a program
// with threads in several namespaces brings a [Dialer] that enters the right one.
func New() (*Client, error) { return NewClient(Dial) }

// NewClient returns a client on connections that dial opens: one at once, and
// one more for each policy that is loaded and each [Events].
func NewClient(dial Dialer) (*Client, error) {
	l, err := openLink(dial)
	if err != nil {
		return nil, err
	}
	return &Client{dial: dial, link: l}, nil
}

// Close closes the client's own connection, after the request that it is at.
// Its Events live on.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.link == nil {
		return nil
	}
	if err := c.link.conn.Close(); err != nil {
		return fmt.Errorf("close netlink: %w", err)
	}
	return nil
}

// Info returns what the module says of itself.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	var (
		b      []byte
		family uint16
	)
	err := c.request(ctx, "get info", func(l *link) (err error) {
		b, err = l.ask(uapi.CmdGetInfo, nil)
		family = l.family.ID
		return err
	})
	if err != nil {
		return nil, err
	}
	info, err := decodeInfo(b)
	if err != nil {
		return nil, err
	}
	info.Family = family
	return info, nil
}

// SetConfig changes the settings that are not zero in config: all of them, or
// none. [ErrRange] when one is out of its range.
func (c *Client) SetConfig(ctx context.Context, config Config) error {
	b, err := encodeConfig(config)
	if err != nil {
		return fmt.Errorf("set config: %w", err)
	}
	return c.order(ctx, "set config", uapi.CmdSetConfig, b)
}

// SetKeys replaces all set-up keys, at most [MaxKeys]. The first one signs.
// Without keys nothing is signed and no set-up header accepted.
func (c *Client) SetKeys(ctx context.Context, keys []Key) error {
	b, err := encodeKeys(keys)
	if err != nil {
		return fmt.Errorf("set keys: %w", err)
	}
	return c.order(ctx, "set keys", uapi.CmdSetKeys, b)
}

// LoadPolicy replaces the running policy by p, at once and whole, or leaves it
// as it is. Live sessions keep their chain. [ErrBusy] while another connection
// loads one.
func (c *Client) LoadPolicy(ctx context.Context, p *Policy) error {
	begin, err := encodeBegin(p)
	if err != nil {
		return fmt.Errorf("load policy: %w", err)
	}
	adds, err := encodeAdds(p)
	if err != nil {
		return fmt.Errorf("load policy: %w", err)
	}
	commit, err := encodeCommit(p)
	if err != nil {
		return fmt.Errorf("load policy: %w", err)
	}

	// The module forgets an unfinished policy when its connection closes,
	// so this load has one of its own.
	l, err := openLink(c.dial)
	if err != nil {
		return fmt.Errorf("load policy: %w", err)
	}
	loader := &Client{link: l}
	defer func() { _ = loader.Close() }()

	if err := loader.order(ctx, "begin policy", uapi.CmdPolicyBegin, begin); err != nil {
		return fmt.Errorf("load policy: %w", err)
	}
	for _, b := range adds {
		if err := loader.order(ctx, "add to policy", uapi.CmdPolicyAdd, b); err != nil {
			return fmt.Errorf("load policy: %w", err)
		}
	}
	if err := loader.order(ctx, "commit policy", uapi.CmdPolicyCommit, commit); err != nil {
		return fmt.Errorf("load policy: %w", err)
	}
	return nil
}

// Policy describes the running policy.
func (c *Client) Policy(ctx context.Context) (*PolicyInfo, error) {
	b, err := c.ask(ctx, "get policy", uapi.CmdGetPolicy, nil)
	if err != nil {
		return nil, err
	}
	return decodePolicyInfo(b)
}

// Rules returns the rules of the running policy in order.
func (c *Client) Rules(ctx context.Context) ([]RuleStatus, error) {
	bodies, err := c.dump(ctx, "list rules", uapi.CmdGetRule)
	if err != nil {
		return nil, err
	}
	rules := make([]RuleStatus, 0, len(bodies))
	for _, b := range bodies {
		r, err := decodeRule(b)
		if err != nil {
			return nil, err
		}
		rules = append(rules, *r)
	}
	return rules, nil
}

// Sessions returns every session of this host, in no order. [ErrInterrupted]
// when the table changed shape each time it was read.
func (c *Client) Sessions(ctx context.Context) ([]Session, error) {
	bodies, err := c.dump(ctx, "list sessions", uapi.CmdGetSession)
	if err != nil {
		return nil, err
	}
	sessions := make([]Session, 0, len(bodies))
	for _, b := range bodies {
		s, _, err := decodeSession(b)
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, *s)
	}
	return sessions, nil
}

// Session returns one session, or [ErrNotFound].
func (c *Client) Session(ctx context.Context, id chain.SessionID) (*Session, error) {
	request, err := encodeSessionID(id)
	if err != nil {
		return nil, fmt.Errorf("get session: %w", err)
	}
	b, err := c.ask(ctx, "get session", uapi.CmdGetSession, request)
	if err != nil {
		return nil, err
	}
	s, _, err := decodeSession(b)
	return s, err
}

// DeleteSession makes this host forget a session, or returns [ErrNotFound].
// The session's packets are from then on those of a stranger.
func (c *Client) DeleteSession(ctx context.Context, id chain.SessionID) error {
	request, err := encodeSessionID(id)
	if err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return c.order(ctx, "delete session", uapi.CmdDelSession, request)
}

// NewSession installs a session that the left neighbour's agent asked for, and
// returns it. Unless this host is the server, Right is the subsession to ask the
// right neighbour for, and the session waits for [Client.FinishSetup]. The same
// request again returns the same session; Known says that it stood already, set
// up in-band.
// A session with a Migration is the same only if it has the record of that one.
// [ErrTooBig] when the table is full, [ErrExists] when the id or the left tuple
// is another session's, [ErrBusy] when it is leaving this host, [ErrLoop], [ErrNoRoute] and [ErrNoPort]; the message of
// the [RefusedError] is then the name of the counter that went up.
func (c *Client) NewSession(ctx context.Context, r SessionRequest) (*Session, error) {
	request, err := encodeSessionRequest(r)
	if err != nil {
		return nil, fmt.Errorf("new session: %w", err)
	}
	b, err := c.ask(ctx, "new session", uapi.CmdNewSession, request)
	if err != nil {
		return nil, err
	}
	s, _, err := decodeSession(b)
	return s, err
}

// FinishSetup ends the wait of a session whose Setup is [chain.SetupWaiting].
//
// After [chain.SetupDone] its packets go on, and after [chain.SetupInBand] too:
// the right neighbour knew the session already, so it cannot be the one that
// swallows SYN payload. After [chain.SetupFailed] the rule says what becomes of
// them; why is then [ReasonNoAnswer] or [ReasonPeerRefused], and otherwise
// [ReasonNone]. [ErrNotFound] when there is no such session, [ErrAlready] when it
// does not wait.
func (c *Client) FinishSetup(ctx context.Context, id chain.SessionID, how chain.Setup, why Reason) error {
	request, err := encodeFinish(id, how, why)
	if err != nil {
		return fmt.Errorf("finish set-up: %w", err)
	}
	return c.order(ctx, "finish set-up", uapi.CmdSetSession, request)
}

// Peers returns the neighbours to which SYNs with payload do not pass, in no
// order.
func (c *Client) Peers(ctx context.Context) ([]Peer, error) {
	bodies, err := c.dump(ctx, "list peers", uapi.CmdGetPeer)
	if err != nil {
		return nil, err
	}
	peers := make([]Peer, 0, len(bodies))
	for _, b := range bodies {
		p, err := decodePeer(b)
		if err != nil {
			return nil, err
		}
		peers = append(peers, *p)
	}
	return peers, nil
}

// Stats returns all counters, in the order of [Reason].
func (c *Client) Stats(ctx context.Context) ([]Counter, error) {
	b, err := c.ask(ctx, "get stats", uapi.CmdGetStats, nil)
	if err != nil {
		return nil, err
	}
	return decodeStats(b)
}

func (c *Client) order(ctx context.Context, op string, cmd uint8, attrs []byte) error {
	return c.request(ctx, op, func(l *link) error { return l.order(cmd, attrs) })
}

func (c *Client) ask(ctx context.Context, op string, cmd uint8, attrs []byte) (answer []byte, err error) {
	err = c.request(ctx, op, func(l *link) (err error) {
		answer, err = l.ask(cmd, attrs)
		return err
	})
	return answer, err
}

func (c *Client) dump(ctx context.Context, op string, cmd uint8) (answers [][]byte, err error) {
	err = c.request(ctx, op, func(l *link) (err error) {
		answers, err = l.dump(cmd)
		return err
	})
	return answers, err
}

// request sends one request, and sends it again if the module was loaded anew
// meanwhile.
func (c *Client) request(ctx context.Context, op string, send func(*link) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := c.connect(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, answerTimeout, errNoAnswer)
	defer cancel()
	err := c.link.interruptible(limited, func() error { return c.sendTwice(send) })
	if err != nil && limited.Err() != nil {
		// The answer may yet come, and must not be taken for the next one's.
		_ = c.link.conn.Close()
		c.link = nil
		return fmt.Errorf("%s: %w", op, context.Cause(limited))
	}
	if err != nil {
		return refused(op, err)
	}
	return nil
}

// connect dials if the last request left no connection that can be used.
func (c *Client) connect() (err error) {
	if c.closed {
		return os.ErrClosed
	}
	if c.link == nil {
		c.link, err = openLink(c.dial)
	}
	return err
}

func (c *Client) sendTwice(send func(*link) error) error {
	err := send(c.link)
	if err == nil {
		return nil
	}
	moved, lost := c.link.moved(err)
	if lost != nil {
		return lost
	}
	if moved {
		err = send(c.link)
	}
	return err
}
