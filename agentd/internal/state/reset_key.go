// SPDX-License-Identifier: Apache-2.0

package state

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// A ResetKey is a secret of this host by which it tells others, after a new start, that
// it knows nothing any more of the connections that they think they have (RFC 9000,
// section 10.3). It is not that of the certificate, which changes when it is renewed.
type ResetKey [32]byte

// ResetKey returns the same key at each start. One that cannot be used is replaced.
func (s *Store) ResetKey() (ResetKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var key ResetKey
	text, err := os.ReadFile(s.path(resetName))
	if err == nil && len(text) == len(key) {
		return ResetKey(text), nil
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		_, _ = rand.Read(key[:]) // never fails
		err = s.replace(resetName, key[:])
	}
	if err != nil {
		return ResetKey{}, fmt.Errorf("keep reset key: %w", err)
	}
	return key, nil
}
