// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"slices"
	"strings"

	"mbchain/identity"
)

// MaxTokens bounds the tokens that are known at once. Those whose time is over
// make room.
const MaxTokens = 1000

// Token admits newcomers to the domain.
type Token struct {
	ID            string `json:"id"`
	Hash          []byte `json:"hash"` // of its secret
	Role          string `json:"role"`
	Name          string `json:"name,omitempty"` // the only one that it admits
	Uses          uint32 `json:"uses"`           // left
	ExpiresUnixMS int64  `json:"expires_unix_ms"`
	CreatedBy     string `json:"created_by"`
	CreatedUnixMS int64  `json:"created_unix_ms"`
}

// AddToken adds a token, and forgets those that have expired.
type AddToken struct {
	Token Token `json:"token"`
}

// DropToken forgets a token.
type DropToken struct {
	ID string `json:"id"`
	// Joined: whoever it admitted is revoked, too.
	Joined    bool  `json:"joined,omitempty"`
	NowUnixMS int64 `json:"now_unix_ms"`
}

func (t Token) check() error {
	if err := identity.CheckTokenID(t.ID); err != nil {
		return err
	}
	if len(t.Hash) != identity.HashLen {
		return fmt.Errorf("token %s has a hash of %d bytes", t.ID, len(t.Hash))
	}
	if _, err := identity.ParseRole(t.Role); err != nil {
		return fmt.Errorf("token %s: %w", t.ID, err)
	}
	if t.Name != "" {
		return identity.CheckName(t.Name)
	}
	return nil
}

func (s *State) findToken(id string) (int, bool) {
	return slices.BinarySearchFunc(s.Tokens, id, func(t Token, id string) int { return strings.Compare(t.ID, id) })
}

func (s *State) addToken(c *AddToken) (*State, error) {
	if i, found := s.findToken(c.Token.ID); found {
		if !identity.SameHash(s.Tokens[i].Hash, c.Token.Hash) {
			return nil, fmt.Errorf("%w: the id is taken", ErrToken)
		}
		return nil, nil
	}
	now := c.Token.CreatedUnixMS
	next := *s
	next.Tokens = slices.DeleteFunc(slices.Clone(s.Tokens), func(t Token) bool { return t.ExpiresUnixMS <= now })
	if len(next.Tokens) >= MaxTokens {
		return nil, fmt.Errorf("%w: %d tokens are known", ErrFull, len(next.Tokens))
	}
	i, _ := next.findToken(c.Token.ID)
	next.Tokens = slices.Insert(next.Tokens, i, c.Token)
	return &next, nil
}

func (s *State) dropToken(c *DropToken) *State {
	next, changed := *s, false
	if i, found := s.findToken(c.ID); found {
		next.Tokens = slices.Delete(slices.Clone(s.Tokens), i, i+1)
		changed = true
	}
	if c.Joined {
		for _, m := range s.Members {
			if m.Token == c.ID && !m.Revoked {
				next.revokeMember(m, c.NowUnixMS)
				changed = true
			}
		}
	}
	if !changed {
		return nil
	}
	return &next
}

// use returns the state with the token used once by a newcomer, or why it may not.
func (s *State) use(c *Admit) (*State, error) {
	i, found := s.findToken(c.TokenID)
	if !found || !identity.SameHash(s.Tokens[i].Hash, c.Hash) {
		return nil, fmt.Errorf("%w: nobody knows it, or it was revoked or is long over", ErrToken)
	}
	t := s.Tokens[i]
	switch {
	case c.NowUnixMS >= t.ExpiresUnixMS:
		return nil, fmt.Errorf("%w: its time is over", ErrToken)
	case t.Role != c.Role:
		return nil, fmt.Errorf("%w: it is for role %s, not %s", ErrToken, t.Role, c.Role)
	case t.Name != "" && t.Name != c.Name:
		return nil, fmt.Errorf("%w: it is for name %s, not %s", ErrToken, t.Name, c.Name)
	}
	// Who did not hear the answer asks again.
	if m, known := s.Member(c.Role, c.Name); known && !m.Revoked && m.Token == c.TokenID && slices.Equal(m.Key, c.Key) {
		return nil, nil
	}
	if t.Uses == 0 {
		return nil, fmt.Errorf("%w: it is used up", ErrToken)
	}
	t.Uses--
	next := *s
	next.Tokens = slices.Clone(s.Tokens)
	next.Tokens[i] = t
	return &next, nil
}
