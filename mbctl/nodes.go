// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"mbchain/identity"
	"mbchain/proto/protoconnect"
)

const (
	// tryRounds is how often all nodes are asked that say "not now", and
	// tryPause how long it is between: an election takes a second or two.
	tryRounds = 10
	tryPause  = 400 * time.Millisecond
)

// Headers of policyd; proto/cluster.proto says what they mean.
const (
	headerRequest  = "Mbchain-Request"
	headerTryAgain = "Mbchain-Try-Again"
)

// nodes is an [http.RoundTripper] that asks one policyd after the other until
// one answers. A call that may have taken effect is repeated if it does no harm.
type nodes struct {
	world     *world
	addresses []string
	shown     *identity.Bundle           // to those that are no sockets
	to        map[string]*http.Transport // by address
	at        int                        // the one that is asked first
}

func (w *world) nodes(addresses []string, shown *identity.Bundle) *nodes {
	return &nodes{world: w, addresses: addresses, shown: shown, to: make(map[string]*http.Transport)}
}

// RoundTrip implements [http.RoundTripper].
func (n *nodes) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	number := make([]byte, 16)
	rand.Read(number) // never fails
	for round := 1; ; round++ {
		answer, again, err := n.askAll(r, body, hex.EncodeToString(number), round == tryRounds)
		if !again || round == tryRounds {
			return answer, err
		}
		if err := n.world.sleep(r.Context(), tryPause); err != nil {
			return nil, err
		}
	}
}

// askAll asks each node once, until one has an answer. It reports whether it is
// worth to ask all again: one of them was there, and said so.
func (n *nodes) askAll(r *http.Request, body []byte, number string, last bool) (answer *http.Response, again bool, err error) {
	for i := range n.addresses {
		at := (n.at + i) % len(n.addresses)
		answer, err = n.ask(r, body, number, n.addresses[at])
		if err == nil && !n.askAnother(r, answer) {
			n.at = at
			return answer, false, nil
		}
		if err != nil && !isDial(err) && (!repeatable(r.URL.Path) || r.Context().Err() != nil) {
			return nil, false, err
		}
		again = again || err == nil
		if err == nil && !(last && i == len(n.addresses)-1) {
			_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16)) // for the connection's sake
			answer.Body.Close()
		}
	}
	return answer, again, err
}

func (n *nodes) ask(r *http.Request, body []byte, number, address string) (*http.Response, error) {
	try := r.Clone(r.Context())
	try.Body, try.GetBody = io.NopCloser(bytes.NewReader(body)), nil
	try.ContentLength = int64(len(body))
	try.Header.Set(headerRequest, number)
	to, scheme := n.world.reach(address, n.shown)
	if known := n.to[address]; known != nil {
		to = known
	}
	n.to[address] = to
	try.URL.Scheme = scheme
	if !isSocket(address) {
		try.Host, try.URL.Host = address, address
	}
	return to.RoundTrip(try)
}

// askAnother reports whether an answer says that another one may be had.
func (n *nodes) askAnother(r *http.Request, answer *http.Response) bool {
	switch answer.Header.Get(headerTryAgain) {
	case "nothing":
		return true
	case "unknown":
		return repeatable(r.URL.Path)
	}
	return false
}

// isDial reports whether a call never reached anybody.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// repeatable reports whether a call does no harm when it is repeated: it changes
// nothing, or policyd knows it again by its number.
func repeatable(path string) bool {
	switch path {
	case protoconnect.MigrationServiceStartProcedure, protoconnect.ClusterServiceRemoveNodeProcedure,
		protoconnect.ClusterServiceTransferLeaderProcedure:
		return false
	}
	return strings.HasPrefix(path, "/"+protoconnect.PolicyServiceName+"/") ||
		strings.HasPrefix(path, "/"+protoconnect.DomainServiceName+"/") ||
		strings.HasPrefix(path, "/"+protoconnect.MigrationServiceName+"/") ||
		strings.HasPrefix(path, "/"+protoconnect.ClusterServiceName+"/") ||
		strings.HasPrefix(path, "/"+protoconnect.IdentityServiceName+"/")
}
