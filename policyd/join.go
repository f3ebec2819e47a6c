// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"mbchain/policyd/internal/cluster"
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

// joiner asks a cluster to take this node in.
type joiner struct {
	cfg       *config
	log       *slog.Logger
	transport *http.Transport // knows no proxy: nodes reach each other
}

// enter asks until the cluster expects this node. It fails if asking again is
// of no use.
func (j joiner) enter(ctx context.Context) error {
	if err := j.insist(ctx, false); err != nil {
		return fmt.Errorf("join the cluster at %v: %w", j.cfg.join, err)
	}
	return nil
}

// settle asks until this node votes. An attempt that is refused is repeated,
// too: the node serves meanwhile, and an operator may be about to help.
func (j joiner) settle(ctx context.Context, n *cluster.Node) error {
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
		err := j.insist(ctx, true)
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
func (j joiner) insist(ctx context.Context, ready bool) error {
	told := ""
	for {
		var err error
		for _, address := range j.cfg.join {
			if err = j.ask(ctx, address, ready); err == nil || final(err) {
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

func (j joiner) ask(ctx context.Context, address string, ready bool) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	client := protoconnect.NewClusterServiceClient(&http.Client{Transport: j.transport}, "http://"+address)
	_, err := client.JoinNode(ctx, &proto.JoinNodeRequest{
		Name: j.cfg.id, Token: j.cfg.joinToken, RaftAddress: j.cfg.raftListen, Address: j.cfg.advertise, Ready: ready,
	})
	if err != nil {
		return fmt.Errorf("ask %s: %w", address, err)
	}
	return nil
}

// final reports whether the cluster has refused, and would again.
func final(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodePermissionDenied, connect.CodeInvalidArgument, connect.CodeFailedPrecondition, connect.CodeAlreadyExists, connect.CodeUnimplemented:
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
