// SPDX-License-Identifier: Apache-2.0

package examine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"mbchain/identity"
	"mbchain/proto"
)

const (
	// maxNeighbours is how many hosts are tried, as examine.proto promises.
	maxNeighbours = 16
	// tryTime is how long a neighbour may take to answer: half of what policyd waits for
	// this host, which may be slow itself.
	tryTime = 1500 * time.Millisecond
)

// Config says what an [Examiner] examines.
type Config struct {
	// Root is in front of /proc and /sys: empty, but in tests.
	Root string
	// Identity is the agent's certificate.
	Identity identity.Source
	// Try reaches the agent of another host, by a connection that is closed again. Nil:
	// this host has not joined, and tries none.
	Try func(ctx context.Context, host netip.Addr) error
	// Echo asks a host for ICMP echoes; nil: [Echo].
	Echo func(ctx context.Context, host netip.Addr, mtus []int) Echoed
	// Now is the host's clock; nil: [time.Now].
	Now func() time.Time
}

// An Examiner examines the host it runs on.
type Examiner struct {
	config Config
	busy   sync.Mutex // held by the one who examines
}

// New returns an examiner.
func New(config Config) *Examiner {
	if config.Echo == nil {
		config.Echo = Echo
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Examiner{config: config}
}

// Examine adds to x what there is to say of this host and of the way to its neighbours,
// the first [maxNeighbours] of them, within [tryTime]. What cannot be found out is named in
// x.Problems. While another one is under way it is [ErrBusy]: who asks often must
// not hold up what else the agent is asked.
func (e *Examiner) Examine(ctx context.Context, x *proto.Examination, neighbours []netip.Addr) error {
	if !e.busy.TryLock() {
		return ErrBusy
	}
	defer e.busy.Unlock()

	x.Certificate = e.certificate(x)
	e.settings(x)
	mtus := e.devices(x)
	if n := len(neighbours); n > maxNeighbours {
		x.MoreNeighbours = uint32(n - maxNeighbours)
		neighbours = neighbours[:maxNeighbours]
	}
	x.Neighbours = e.neighbours(ctx, neighbours, mtus)
	return nil
}

func (e *Examiner) certificate(x *proto.Examination) *proto.Certificate {
	b, err := e.config.Identity.Bundle()
	if err != nil {
		return nil
	}
	now := e.config.Now()
	c := &proto.Certificate{
		Name: b.Subject().Name, CaFingerprint: identity.FingerprintOf(b.CA).String(),
		ExpiresInMs: b.Leaf.NotAfter.Sub(now).Milliseconds(), RenewsInMs: b.RenewAt().Sub(now).Milliseconds(),
	}
	for _, a := range b.Addresses() {
		c.Addresses = append(c.Addresses, a.String())
	}
	return c
}

// neighbours tries all of them at the same time.
func (e *Examiner) neighbours(ctx context.Context, hosts []netip.Addr, mtus []int) []*proto.Neighbour {
	ctx, cancel := context.WithTimeoutCause(ctx, tryTime, fmt.Errorf("no answer within %v", tryTime))
	defer cancel()
	tried := make([]*proto.Neighbour, len(hosts))
	var wg sync.WaitGroup
	for i, host := range hosts {
		n := &proto.Neighbour{Address: host.String()}
		tried[i] = n
		wg.Go(func() {
			if e.config.Try == nil {
				return
			}
			if err := e.config.Try(ctx, host); err != nil {
				n.Error = cause(ctx, err).Error()
			}
		})
		wg.Go(func() {
			got := e.config.Echo(ctx, host, mtus)
			n.LinkMtu, n.PathMtu = uint32(got.Link), uint32(got.Path)
			n.Echoed, n.LargeEchoed = got.Short, got.Large
			if got.Err != nil {
				n.EchoError = got.Err.Error()
			}
		})
	}
	wg.Wait()
	return tried
}

// cause says "no answer" where err only says that the time is over.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return context.Cause(ctx)
	}
	return err
}
