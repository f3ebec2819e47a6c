// SPDX-License-Identifier: Apache-2.0

package self

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mbchain/identity"
	"mbchain/identity/keep"
)

// The files in the data directory.
const (
	caFile     = "ca.pem"       // the CA with its key
	joinedFile = "identity.pem" // what this voter joined with; often not there
)

// ErrNone: neither the CA nor a certificate is there yet.
var ErrNone = errors.New("this policyd has no certificate yet")

// Self is an [identity.Source].
type Self struct {
	subject identity.Subject
	dir     string

	mu     sync.Mutex
	text   []byte           // the CA as it stands in the state
	ca     *identity.CA     // nil: not known yet
	bundle *identity.Bundle // nil: none yet
}

// Open reads what the data directory has of the voter called name.
func Open(dir, name string) (*Self, error) {
	s := &Self{subject: identity.Subject{Role: identity.Policyd, Name: name}, dir: dir}
	joined, err := keep.Load(s.path(joinedFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if joined != nil {
		if who := joined.Subject(); who.Role != identity.Policyd || who.Name != name {
			return nil, fmt.Errorf("read identity: data directory %s belongs to %s: start it with that --id, not with %q", dir, who, name)
		}
		s.bundle, s.subject.Epoch = joined, joined.Subject().Epoch
	}
	text, err := os.ReadFile(s.path(caFile))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, fmt.Errorf("read CA: %w", err)
	}
	if s.ca, err = identity.ParseCA(text); err != nil {
		return nil, fmt.Errorf("%s: %w: if policyd ran here before, move the file away, the state has the CA too", s.path(caFile), err)
	}
	s.text = text
	return s, nil
}

func (s *Self) path(file string) string { return filepath.Join(s.dir, file) }

// Joined takes what this voter joined with, and keeps it.
func (s *Self) Joined(b *identity.Bundle) error {
	if err := keep.Save(s.path(joinedFile), b); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bundle, s.subject.Epoch = b, b.Subject().Epoch
	return nil
}

// Name is this voter's.
func (s *Self) Name() string { return s.subject.Name }

// CA is the CA, for a state that has none yet; nil: there is none here either.
func (s *Self) CA() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

// Use takes the CA of the state, which is the one that counts, and this voter's epoch
// in it.
func (s *Self) Use(text []byte, epoch uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(text) == 0 || bytes.Equal(text, s.text) && epoch == s.subject.Epoch {
		return nil
	}
	s.subject.Epoch = epoch
	ca, err := identity.ParseCA(text)
	if err != nil {
		return err
	}
	if err := keep.Write(s.path(caFile), text); err != nil {
		return fmt.Errorf("write CA: %w", err)
	}
	s.text, s.ca, s.bundle = text, ca, nil
	return nil
}

// Bundle implements [identity.Source].
func (s *Self) Bundle() (*identity.Bundle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	fresh := s.bundle != nil && now.Before(s.bundle.RenewAt()) && now.After(s.bundle.Leaf.NotBefore)
	if fresh || s.ca == nil && s.bundle != nil {
		return s.bundle, nil
	}
	if s.ca == nil {
		return nil, ErrNone
	}
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	b, err := s.ca.IssueKey(key, s.subject, nil, now)
	if err != nil {
		return nil, err
	}
	s.bundle = b
	return b, nil
}
