// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"path/filepath"

	"mbchain/identity"
	"mbchain/identity/enroll"
	"mbchain/identity/keep"
)

// errNoToken says what to do for a host that has nothing to join with.
var errNoToken = errors.New("no token to join with: on policyd's host say `mbctl token create --role agent`, write it to a file here, and give agentd --token-file FILE")

// newKeeper opens this host's identity, in its state directory.
func newKeeper(cfg *config, log *slog.Logger, renewed func(string, *identity.Bundle)) (*keep.Keeper, error) {
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
			return anyServer(cfg, func(server enroll.Server) (leaf, ca *x509.Certificate, err error) {
				return enroll.Join(ctx, server, token, request)
			})
		},
		Renew: func(ctx context.Context, request []byte) (leaf, ca *x509.Certificate, err error) {
			return anyServer(cfg, func(server enroll.Server) (leaf, ca *x509.Certificate, err error) {
				return enroll.Renew(ctx, server, k, request)
			})
		},
		Refused: enroll.Refused, Renewed: renewed, Log: log,
	})
	return k, err
}

// readToken reads the file each time: the operator may write another one.
func readToken(path string) (identity.Token, error) {
	if path == "" {
		return identity.Token{}, errNoToken
	}
	return enroll.ReadToken(path)
}

// anyServer asks one policyd after the other, until one has answered: what it says
// counts, also when it refuses.
func anyServer(cfg *config, ask func(enroll.Server) (leaf, ca *x509.Certificate, err error)) (leaf, ca *x509.Certificate, err error) {
	for _, address := range cfg.policyd {
		leaf, ca, err = ask(enroll.Server{Address: address, Dial: dialControl})
		if err == nil || enroll.Answered(err) {
			return leaf, ca, err
		}
	}
	return leaf, ca, err
}

// canJoin says whether this host is a member of the domain, or means to be.
func canJoin(cfg *config, k *keep.Keeper) bool {
	_, err := k.Bundle()
	return err == nil || cfg.tokenFile != ""
}
