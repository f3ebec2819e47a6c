// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"mbchain/identity"
	"mbchain/identity/enroll"
	"mbchain/identity/keep"
)

// errNoToken says what to do for a host that has nothing to join with.
var errNoToken = errors.New("no token to join with: on policyd's host say `mbctl token create --role agent`, write it to a file here, and give agentd --token-file FILE")

// newKeeper opens this host's identity, in its state directory.
func newKeeper(cfg *config, log *slog.Logger, renewed func(string, *identity.Bundle)) (*keep.Keeper, error) {
	server := enroll.Server{Address: cfg.policyd, Dial: dialControl}
	var k *keep.Keeper
	k, err := keep.Open(keep.Config{
		Path:      filepath.Join(cfg.state, "identity.pem"),
		Subject:   identity.Subject{Role: identity.Agent, Name: cfg.name},
		Addresses: cfg.hostAddresses,
		Join: func(ctx context.Context, request []byte) (leaf, ca *x509.Certificate, err error) {
			token, err := readToken(cfg.tokenFile)
			if err != nil {
				return nil, nil, err
			}
			return enroll.Join(ctx, server, token, request)
		},
		Renew: func(ctx context.Context, request []byte) (leaf, ca *x509.Certificate, err error) {
			return enroll.Renew(ctx, server, k, request)
		},
		Refused: enroll.Refused, Renewed: renewed, Log: log,
	})
	return k, err
}

// maxToken is more than a token's text has, with blanks around it.
const maxToken = 4096

// readToken reads the file each time: the operator may write another one.
func readToken(path string) (identity.Token, error) {
	if path == "" {
		return identity.Token{}, errNoToken
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxToken {
		err = fmt.Errorf("%s has %d bytes, that is no token", path, info.Size())
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return identity.Token{}, fmt.Errorf("read token: %w (--token-file says where)", err)
	}
	return identity.ParseToken(strings.TrimSpace(string(text)))
}

// canJoin says whether this host is a member of the domain, or means to be.
func canJoin(cfg *config, k *keep.Keeper) bool {
	_, err := k.Bundle()
	return err == nil || cfg.tokenFile != ""
}
