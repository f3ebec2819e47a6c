// SPDX-License-Identifier: Apache-2.0

package keep

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"mbchain/identity"
)

const (
	// firstPause and maxPause bound the wait after an attempt that failed.
	firstPause = time.Second
	maxPause   = 30 * time.Second
	// lookEvery is how often it is looked whether the host has other addresses.
	lookEvery = time.Minute
)

// ErrNone: the host has not joined yet.
var ErrNone = errors.New("this host has no certificate yet")

// Ask asks for a certificate with a request, and returns it and the CA's.
type Ask func(ctx context.Context, request []byte) (leaf, ca *x509.Certificate, err error)

// Config says what a [Keeper] keeps.
type Config struct {
	Path    string           // the file
	Subject identity.Subject // role and name
	// Addresses are those of the host, nil: it has none. Others than those in the
	// certificate have it renewed at once.
	Addresses func() ([]netip.Addr, error)
	// Join asks with a token, Renew with the certificate that is there.
	Join, Renew Ask
	// Refused reports whether an error of Renew says that the certificate is not
	// taken any more, so that only a token helps.
	Refused func(error) bool
	// Renewed is called when there is another certificate, with what was done for
	// it: "joined", "joined again" or "certificate renewed".
	Renewed func(done string, b *identity.Bundle)
	Log     *slog.Logger
}

// A Keeper is an [identity.Source].
type Keeper struct {
	config Config
	key    *ecdsa.PrivateKey // of a request whose answer may have been lost
	kick   chan struct{}
	joined chan struct{} // closed once there is a bundle

	mu     sync.Mutex
	bundle *identity.Bundle // nil: none yet
	doubt  bool             // it was refused
}

// Open reads the file. That there is none is no error.
func Open(config Config) (*Keeper, error) {
	k := &Keeper{config: config, kick: make(chan struct{}, 1), joined: make(chan struct{})}
	b, err := Load(config.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return k, nil
	case err != nil:
		return nil, err
	}
	if s := b.Subject(); s.Role != config.Subject.Role || s.Name != config.Subject.Name {
		return nil, fmt.Errorf("read identity: %s is that of %s, not of %s: move it away and join again with a token",
			config.Path, s, config.Subject)
	}
	k.bundle = b
	close(k.joined)
	return k, nil
}

// Wait waits until there is a bundle, or ctx is done, whose error it then returns.
func (k *Keeper) Wait(ctx context.Context) error {
	select {
	case <-k.joined:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Bundle implements [identity.Source]: [ErrNone] before the host has joined.
func (k *Keeper) Bundle() (*identity.Bundle, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bundle == nil {
		return nil, ErrNone
	}
	return k.bundle, nil
}

// Look makes the keeper look at once whether there is something to do. refused
// says that somebody did not take the certificate.
func (k *Keeper) Look(refused bool) {
	k.mu.Lock()
	k.doubt = k.doubt || refused
	k.mu.Unlock()
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// Run joins, and renews, until ctx is done.
func (k *Keeper) Run(ctx context.Context) {
	pause, told := time.Duration(0), ""
	for ctx.Err() == nil {
		err := k.step(ctx)
		wait := lookEvery
		if err == nil {
			pause, told = 0, ""
		} else {
			pause = min(max(2*pause, firstPause), maxPause)
			wait = time.Duration(float64(pause) * (0.5 + rand.Float64()))
			level := slog.LevelDebug
			if told != err.Error() {
				level, told = slog.LevelWarn, err.Error()
			}
			k.config.Log.Log(ctx, level, "no new certificate", "error", err, "retry_in", wait)
		}
		k.wait(ctx, wait, err != nil)
	}
}

// wait ends after d, or when somebody wants it to; not so soon after a failure.
func (k *Keeper) wait(ctx context.Context, d time.Duration, failed bool) {
	kick := k.kick
	if failed {
		kick = nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-kick:
	case <-ctx.Done():
	}
}

// step does what there is to do now.
func (k *Keeper) step(ctx context.Context) error {
	addresses, err := k.addresses()
	if err != nil {
		return err
	}
	k.mu.Lock()
	b, doubt := k.bundle, k.doubt
	k.mu.Unlock()
	now := time.Now()
	switch {
	case b == nil:
		return k.ask(ctx, k.config.Join, addresses, "joined")
	case !now.Before(b.Leaf.NotAfter):
		if err := k.ask(ctx, k.config.Join, addresses, "joined again"); err != nil {
			return fmt.Errorf("certificate expired at %s, so a token is needed to join again: %w",
				b.Leaf.NotAfter.UTC().Format(time.RFC3339), err)
		}
	case doubt || !now.Before(b.RenewAt()) || !same(b.Addresses(), addresses):
		err := k.ask(ctx, k.config.Renew, addresses, "certificate renewed")
		if err == nil || !k.config.Refused(err) {
			return err
		}
		if again := k.ask(ctx, k.config.Join, addresses, "joined again"); again != nil {
			return fmt.Errorf("%w; a token is needed to join again: %w", err, again)
		}
	}
	return nil
}

func (k *Keeper) addresses() ([]netip.Addr, error) {
	if k.config.Addresses == nil {
		return nil, nil
	}
	return k.config.Addresses()
}

func same(a, b []netip.Addr) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, netip.Addr.Compare)
	slices.SortFunc(b, netip.Addr.Compare)
	return slices.Equal(a, b)
}

// ask gets a certificate for a new key, or again for the one whose answer was
// lost: a token may be for one key only.
func (k *Keeper) ask(ctx context.Context, ask Ask, addresses []netip.Addr, done string) error {
	if k.key == nil {
		key, err := identity.NewKey()
		if err != nil {
			return err
		}
		k.key = key
	}
	request, err := identity.NewRequest(k.key, k.config.Subject, addresses)
	if err != nil {
		return err
	}
	leaf, ca, err := ask(ctx, request)
	if err != nil {
		return err
	}
	b, err := identity.NewBundle(k.key, leaf, ca)
	if err != nil {
		return fmt.Errorf("use certificate: %w", err)
	}
	if err := Save(k.config.Path, b); err != nil {
		return err
	}
	k.key = nil
	k.mu.Lock()
	if k.bundle == nil {
		close(k.joined)
	}
	k.bundle, k.doubt = b, false
	k.mu.Unlock()
	k.config.Renewed(done, b)
	return nil
}
