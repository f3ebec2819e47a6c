// SPDX-License-Identifier: Apache-2.0

package keep

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mbchain/identity"
)

var (
	errToken   = errors.New("token is not valid")
	errRefused = errors.New("certificate was revoked")
	errAway    = errors.New("policyd is away")
)

// office is a CA that admits, or does not.
type office struct {
	t  *testing.T
	ca *identity.CA

	mu            sync.Mutex
	joins, renews int
	joinErr       error // of every join
	renewErr      error
	addresses     []netip.Addr
	log           bytes.Buffer
	done          []string
}

func newOffice(t *testing.T) *office {
	t.Helper()
	ca, err := identity.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &office{t: t, ca: ca, addresses: []netip.Addr{netip.MustParseAddr("10.0.0.2")}}
}

func (o *office) answer(request []byte, n *int, fail *error) (leaf, ca *x509.Certificate, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*n++
	if *fail != nil {
		return nil, nil, *fail
	}
	r, err := identity.ParseRequest(request)
	if err != nil {
		return nil, nil, err
	}
	leaf, err = o.ca.Issue(r, 1, time.Now())
	return leaf, o.ca.Cert, err
}

func (o *office) fail(join, renew error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.joinErr, o.renewErr = join, renew
}

func (o *office) counts() (joins, renews int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.joins, o.renews
}

func (o *office) open(path string) *Keeper {
	o.t.Helper()
	k, err := Open(Config{
		Path: path, Subject: identity.Subject{Role: identity.Agent, Name: "mb1"},
		Addresses: func() ([]netip.Addr, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			return o.addresses, nil
		},
		Join: func(_ context.Context, r []byte) (leaf, ca *x509.Certificate, err error) {
			return o.answer(r, &o.joins, &o.joinErr)
		},
		Renew: func(_ context.Context, r []byte) (leaf, ca *x509.Certificate, err error) {
			return o.answer(r, &o.renews, &o.renewErr)
		},
		Refused: func(err error) bool { return errors.Is(err, errRefused) },
		Renewed: func(done string, _ *identity.Bundle) { o.done = append(o.done, done) },
		Log:     slog.New(slog.NewTextHandler(&o.log, nil)),
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return k
}

// run runs a keeper in a bubble until f returns.
func run(t *testing.T, f func(t *testing.T, o *office, k *Keeper, path string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "identity.pem")
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		k := o.open(path)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { k.Run(ctx); close(ended) }()
		synctest.Wait()
		f(t, o, k, path)
		cancel()
		<-ended
	})
}

// valid checks that the keeper has a certificate that is valid now.
func valid(t *testing.T, k *Keeper) *identity.Bundle {
	t.Helper()
	b, err := k.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	if time.Now().After(b.Leaf.NotAfter) {
		t.Errorf("valid to %v, it is %v", b.Leaf.NotAfter, time.Now())
	}
	return b
}

func TestKeeperJoinsAndRenewsBeforeTheEnd(t *testing.T) {
	run(t, func(t *testing.T, o *office, k *Keeper, path string) {
		first := valid(t, k)
		for day := range 30 {
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if b := valid(t, k); time.Until(b.Leaf.NotAfter) < identity.DaemonLife/2 {
				t.Fatalf("day %d: only valid to %v", day, b.Leaf.NotAfter)
			}
		}
		joins, renews := o.counts()
		if joins != 1 || renews < 25 || renews > 35 {
			t.Errorf("%d joins, %d renewals", joins, renews)
		}
		last := valid(t, k)
		if last.Key.Equal(first.Key) {
			t.Error("the key stayed the same")
		}
		stored, err := Load(path)
		if err != nil || !stored.Leaf.Equal(last.Leaf) {
			t.Errorf("in the file: %v, error %v", stored, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("file %v, error %v", info, err)
		}
	})
}

func TestKeeperOutlivesAPolicydThatIsAway(t *testing.T) {
	run(t, func(t *testing.T, o *office, k *Keeper, _ string) {
		first := valid(t, k)
		o.fail(errAway, errAway)
		time.Sleep(identity.DaemonLife * 9 / 10)
		synctest.Wait()
		if b := valid(t, k); b != first {
			t.Error("another certificate, from nobody")
		}
		if n := strings.Count(o.log.String(), "no new certificate"); n != 1 {
			t.Errorf("said %d times:\n%s", n, &o.log)
		}
		o.fail(nil, nil)
		time.Sleep(2 * maxPause)
		synctest.Wait()
		if b := valid(t, k); b == first {
			t.Error("not renewed when policyd was back")
		}
	})
}

func TestKeeperJoinsAgainWhenItIsTooLate(t *testing.T) {
	run(t, func(t *testing.T, o *office, k *Keeper, _ string) {
		o.fail(errToken, errAway)
		time.Sleep(identity.DaemonLife + time.Hour)
		synctest.Wait()
		if _, renews := o.counts(); renews < 100 {
			t.Errorf("%d attempts to renew", renews)
		}
		if !strings.Contains(o.log.String(), "so a token is needed to join again") {
			t.Errorf("log:\n%s", &o.log)
		}
		o.fail(nil, errAway)
		time.Sleep(2 * maxPause)
		synctest.Wait()
		valid(t, k)
	})
}

func TestKeeperOfARevokedHostNeedsAToken(t *testing.T) {
	run(t, func(t *testing.T, o *office, k *Keeper, _ string) {
		first := valid(t, k)
		o.fail(errToken, errRefused)
		k.Look(true)
		synctest.Wait()
		if !strings.Contains(o.log.String(), "a token is needed to join again") {
			t.Errorf("log:\n%s", &o.log)
		}
		o.fail(nil, errRefused)
		time.Sleep(2 * maxPause)
		synctest.Wait()
		if valid(t, k) == first {
			t.Error("it did not join again")
		}
		if want := []string{"joined", "joined again"}; len(o.done) != 2 || o.done[1] != want[1] {
			t.Errorf("done %v, want %v", o.done, want)
		}
	})
}

func TestKeeperRenewsWhenAddressesChange(t *testing.T) {
	run(t, func(t *testing.T, o *office, k *Keeper, _ string) {
		o.mu.Lock()
		o.addresses = append(o.addresses, netip.MustParseAddr("fd00::2"))
		o.mu.Unlock()
		time.Sleep(lookEvery + time.Second)
		synctest.Wait()
		if b := valid(t, k); len(b.Addresses()) != 2 {
			t.Errorf("addresses %v", b.Addresses())
		}
		if joins, renews := o.counts(); joins != 1 || renews != 1 {
			t.Errorf("%d joins, %d renewals", joins, renews)
		}
	})
}

func TestKeeperIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.pem")
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.fail(errToken, nil)
		k := o.open(path)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go k.Run(ctx)
		waited := make(chan error, 1)
		go func() { waited <- k.Wait(ctx) }()
		time.Sleep(time.Hour)
		select {
		case err := <-waited:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		o.fail(nil, nil)
		if err := <-waited; err != nil {
			t.Error(err)
		}
		if err := o.open(path).Wait(ctx); err != nil { // it has its file
			t.Error(err)
		}
		cancel()
		if err := newOfficeKeeper(t).Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want canceled", err)
		}
	})
}

// newOfficeKeeper has no file.
func newOfficeKeeper(t *testing.T) *Keeper {
	t.Helper()
	return newOffice(t).open(filepath.Join(t.TempDir(), "none.pem"))
}

func TestKeeperFindsItsFileAgain(t *testing.T) {
	run(t, func(t *testing.T, o *office, k *Keeper, path string) {
		again := o.open(path)
		if b := valid(t, again); !b.Leaf.Equal(valid(t, k).Leaf) {
			t.Error("another certificate")
		}
	})
}

func TestOpenRefusesWhatIsNoIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.pem")
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Config{Path: path})
	if !errors.Is(err, identity.ErrMalformed) || !strings.Contains(err.Error(), "join again") {
		t.Errorf("error %v", err)
	}
}

// A file is replaced whole: nobody finds half of one, and nothing is left over.
func TestSaveLeavesOneFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "identity.pem")
	for range 3 {
		if err := Write(path, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("files %v, error %v", list, err)
	}
	if err := Write(filepath.Join(path, "below"), nil); err == nil {
		t.Error("written below a file")
	}
}
