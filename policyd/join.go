// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/identity/enroll"
	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/self"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

const (
	// joinPause is between two attempts to join.
	joinPause = time.Second
	// joinTimeout is for one attempt: the cluster waits until the node has
	// caught up.
	joinTimeout = 30 * time.Second
)

// errNoToken says what to do for a node that has nothing to join with.
var errNoToken = errors.New("no token to join with")

// joiner asks a cluster to take this node in.
type joiner struct {
	cfg       *config
	log       *slog.Logger
	me        *self.Self
	key       *ecdsa.PrivateKey // of the request for a certificate: a token may be for one key only
	transport *http.Transport   // knows no proxy: nodes reach each other
}

func newJoiner(cfg *config, log *slog.Logger, me *self.Self) *joiner {
	return &joiner{cfg: cfg, log: log, me: me, transport: &http.Transport{
		TLSClientConfig:   identity.ClientTLS(me, time.Now, enroll.Protocols, identity.Policyd),
		ForceAttemptHTTP2: true, TLSHandshakeTimeout: joinTimeout,
	}}
}

func (j *joiner) close() { j.transport.CloseIdleConnections() }

// enter gets a certificate for this node, and asks until the cluster expects it. It
// fails if asking again is of no use.
func (j *joiner) enter(ctx context.Context) error {
	if b, err := j.me.Bundle(); err != nil || time.Now().After(b.Leaf.NotAfter) {
		if err := j.insist(ctx, j.enroll); err != nil {
			return fmt.Errorf("join the cluster at %v: %w", j.cfg.join, err)
		}
	}
	if err := j.insist(ctx, j.expected); err != nil {
		return fmt.Errorf("join the cluster at %v: %w", j.cfg.join, err)
	}
	return nil
}

// enroll gets the certificate from one node.
func (j *joiner) enroll(ctx context.Context, address string) error {
	if j.cfg.tokenFile == "" {
		return fmt.Errorf("%w: mbctl cluster join %s makes one: write it to a file here, and give --token-file FILE", errNoToken, j.cfg.id)
	}
	token, err := enroll.ReadToken(j.cfg.tokenFile)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoToken, err)
	}
	if j.key == nil {
		if j.key, err = identity.NewKey(); err != nil {
			return err
		}
	}
	request, err := identity.NewRequest(j.key, identity.Subject{Role: identity.Policyd, Name: j.cfg.id}, nil)
	if err != nil {
		return err
	}
	leaf, ca, err := enroll.Join(ctx, enroll.Server{Address: address}, token, request)
	if err != nil {
		return err
	}
	b, err := identity.NewBundle(j.key, leaf, ca)
	if err != nil {
		return err
	}
	return j.me.Joined(b)
}

func (j *joiner) expected(ctx context.Context, address string) error {
	return j.ask(ctx, address, false)
}

func (j *joiner) ready(ctx context.Context, address string) error { return j.ask(ctx, address, true) }

// settle asks until this node votes. An attempt that is refused is repeated,
// too: the node serves meanwhile, and an operator may be about to help.
func (j *joiner) settle(ctx context.Context, n *cluster.Node) error {
	members, _, err := n.Members()
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.Name == j.cfg.id && m.Voter {
			return nil
		}
	}
	for told := ""; ; {
		err := j.insist(ctx, j.ready)
		if err == nil {
			j.log.Info("joined the cluster", "id", j.cfg.id)
			return n.Joined()
		}
		if ctx.Err() == nil && told != err.Error() {
			told = err.Error()
			j.log.Warn("not joined yet", "error", err)
		}
		if !pause(ctx) {
			return nil
		}
	}
}

// insist asks one node after the other, until one has done it or refuses.
func (j *joiner) insist(ctx context.Context, ask func(ctx context.Context, address string) error) error {
	told := ""
	for {
		var err error
		for _, address := range j.cfg.join {
			if err = ask(ctx, address); err == nil || final(err) {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if told != err.Error() {
			told = err.Error()
			j.log.Warn("not joined yet", "error", err)
		}
		if !pause(ctx) {
			return ctx.Err()
		}
	}
}

func (j *joiner) ask(ctx context.Context, address string, ready bool) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	client := protoconnect.NewClusterServiceClient(&http.Client{Transport: j.transport}, "https://"+address)
	_, err := client.JoinNode(ctx, &proto.JoinNodeRequest{
		Name: j.cfg.id, RaftAddress: j.cfg.raftListen, Address: j.cfg.advertise, Ready: ready,
	})
	if err != nil {
		return fmt.Errorf("ask %s: %w", address, err)
	}
	return nil
}

// final reports whether the cluster has refused, and would again.
func final(err error) bool {
	if errors.Is(err, errNoToken) || errors.Is(err, identity.ErrForeign) {
		return true
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnauthenticated, connect.CodePermissionDenied, connect.CodeInvalidArgument, connect.CodeFailedPrecondition, connect.CodeAlreadyExists, connect.CodeUnimplemented:
		return connect.IsWireError(errors.Unwrap(err))
	}
	return false
}

// pause reports whether ctx goes on.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(joinPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
