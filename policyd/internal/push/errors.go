// SPDX-License-Identifier: Apache-2.0

package push

import "errors"

var (
	// ErrNotReady: the hub has no state to serve yet.
	ErrNotReady = errors.New("policyd has no policy to serve yet")
	// ErrNotLeading: another policyd leads, or none does yet.
	ErrNotLeading = errors.New("this policyd does not lead")
	// ErrReplaced ends a stream whose host opened another.
	ErrReplaced = errors.New("replaced by a newer stream of this host")
	// ErrDisplaced ends a stream whose host is known under other addresses by
	// now, because it registered anew or another host took them over.
	ErrDisplaced = errors.New("the addresses of this host are registered anew")
	// ErrStopping ends all streams.
	ErrStopping = errors.New("policyd is stopping")
	// ErrUnknownHost: no host of this name was ever here.
	ErrUnknownHost = errors.New("unknown host")
	// ErrNoStream: the host has no stream that an answer could belong to.
	ErrNoStream = errors.New("host has no stream")
)
