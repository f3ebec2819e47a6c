// SPDX-License-Identifier: Apache-2.0

package keep

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mbchain/identity"
)

// Load reads an identity. The error is [os.ErrNotExist] if there is none.
func Load(path string) (*identity.Bundle, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	b, err := identity.ParseBundle(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: move it away and join again with a token", path, err)
	}
	return b, nil
}

// Save writes an identity, in place of the one that is there.
func Save(path string, b *identity.Bundle) error {
	text, err := b.PEM()
	if err == nil {
		err = Write(path, text)
	}
	if err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	return nil
}

// Write replaces a file that only its owner may read, whole or not at all.
func Write(path string, text []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".identity-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
