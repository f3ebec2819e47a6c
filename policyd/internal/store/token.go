// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
)

// MaxJoinTokens bounds the tokens that wait for a node to come.
const MaxJoinTokens = 16

// JoinToken lets one node join until it expires. It is a pre-shared secret, for
// as long as nodes have no certificates that say who they are.
type JoinToken struct {
	Node          string `json:"node"`
	Hash          []byte `json:"hash"` // SHA-256 of the secret, which is nowhere
	ExpiresUnixMS int64  `json:"expires_unix_ms"`
}

// AddJoinToken adds a token in place of an older one for the same node, and
// forgets those that have expired.
type AddJoinToken struct {
	Token     JoinToken `json:"token"`
	NowUnixMS int64     `json:"now_unix_ms"`
}

// HashToken returns what is kept of a token's secret.
func HashToken(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// TokenValid reports whether a secret lets a node join now.
func (s *State) TokenValid(node, secret string, nowUnixMS int64) bool {
	hash, valid := HashToken(secret), false
	for _, t := range s.JoinTokens {
		same := subtle.ConstantTimeCompare(t.Hash, hash) == 1
		valid = valid || same && t.Node == node && nowUnixMS < t.ExpiresUnixMS
	}
	return valid
}

func (s *State) addJoinToken(c *AddJoinToken) (*State, error) {
	if slices.ContainsFunc(s.JoinTokens, func(t JoinToken) bool { return t.same(c.Token) }) {
		return nil, nil
	}
	kept := slices.DeleteFunc(slices.Clone(s.JoinTokens), func(t JoinToken) bool {
		return t.Node == c.Token.Node || t.ExpiresUnixMS <= c.NowUnixMS
	})
	if len(kept) >= MaxJoinTokens {
		return nil, fmt.Errorf("%w: %d join tokens are waiting for their nodes", ErrFull, len(kept))
	}
	next := *s
	next.JoinTokens = append(kept, c.Token)
	return &next, nil
}

func (t JoinToken) same(other JoinToken) bool {
	return t.Node == other.Node && t.ExpiresUnixMS == other.ExpiresUnixMS && bytes.Equal(t.Hash, other.Hash)
}

func (t JoinToken) check() error {
	if t.Node == "" || len(t.Hash) != sha256.Size {
		return fmt.Errorf("join token for node %q of %d bytes", t.Node, len(t.Hash))
	}
	return nil
}
