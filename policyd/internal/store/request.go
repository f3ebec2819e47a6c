// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"fmt"
	"slices"
)

const (
	// RequestLen is the length of a request's number, in bytes.
	RequestLen = 16
	// MaxRequests is how many are remembered: who repeats a request does so
	// within seconds, and 1,024 changes take longer.
	MaxRequests = 1024
)

// Request is a command that changed the state, by the number that its sender
// gave it. Who repeats it, because the answer was lost, is told what came of
// the first; the state stays as it is.
type Request struct {
	ID            []byte `json:"id"`
	PolicyVersion uint64 `json:"policy_version"` // after the command
}

// done returns what came of the command with this number, if it was applied.
func (s *State) done(id []byte) (Request, bool) {
	if len(id) == 0 {
		return Request{}, false
	}
	i := slices.IndexFunc(s.Requests, func(r Request) bool { return bytes.Equal(r.ID, id) })
	if i < 0 {
		return Request{}, false
	}
	return s.Requests[i], true
}

// remember notes in s, which nobody else can see yet, that it is what came of
// a command.
func (s *State) remember(id []byte) {
	if len(id) == 0 {
		return
	}
	kept := s.Requests[max(0, len(s.Requests)-MaxRequests+1):]
	s.Requests = append(slices.Clone(kept), Request{ID: id, PolicyVersion: s.Policy.Version})
}

func checkRequests(list []Request) error {
	if len(list) > MaxRequests {
		return fmt.Errorf("%d requests", len(list))
	}
	for _, r := range list {
		if len(r.ID) != RequestLen {
			return fmt.Errorf("request of %d bytes", len(r.ID))
		}
	}
	return nil
}
