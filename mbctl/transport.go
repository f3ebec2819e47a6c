// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mbchain/identity"
	"mbchain/identity/enroll"
)

const (
	// policydSocket is where policyd serves root on its own host.
	policydSocket = "/run/mbchain/policyd.sock"
	// unixPrefix is in front of a socket's path where an address may stand.
	unixPrefix = "unix:"
)

// policydAddresses is where policyd is to be asked: what the operator says, else the
// socket on this host, if there is one.
func (w *world) policydAddresses(c *cli.Context) ([]string, error) {
	if !c.IsSet("policyd") && w.getenv("MBCHAIN_POLICYD") == "" && w.exists(policydSocket) {
		return []string{unixPrefix + policydSocket}, nil
	}
	addresses := strings.Split(c.String("policyd"), ",")
	for i, address := range addresses {
		addresses[i] = strings.TrimSpace(address)
		if isSocket(addresses[i]) {
			continue
		}
		if _, _, err := net.SplitHostPort(addresses[i]); err != nil {
			return nil, usagef("read --policyd %q: want ADDRESS:PORT, such as %s", address, defaultPolicyd)
		}
	}
	return addresses, nil
}

func isSocket(address string) bool { return strings.HasPrefix(address, unixPrefix) }

// reach returns the way to a policyd, and the scheme of its URL: by a unix socket,
// where policyd asks the kernel who calls, or by TLS with a certificate.
func (w *world) reach(address string, shown *identity.Bundle) (t *http.Transport, scheme string) {
	network, address := "tcp", address
	if path, local := strings.CutPrefix(address, unixPrefix); local {
		network, address = "unix", path
	}
	t = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return w.dial(ctx, network, address)
	}}
	if network == "unix" {
		return t, "http"
	}
	t.TLSClientConfig, t.ForceAttemptHTTP2 = identity.ClientTLS(identity.Fixed(shown), w.now, enroll.Protocols, identity.Policyd), true
	return t, "https"
}

// identityPath is where this user's identity is.
func (w *world) identityPath() (string, error) {
	if path := w.getenv("MBCHAIN_IDENTITY"); path != "" {
		return path, nil
	}
	dir := w.getenv("XDG_CONFIG_HOME")
	if home := w.getenv("HOME"); dir == "" && home != "" {
		dir = home + "/.config"
	}
	if dir == "" {
		return "", errors.New("find identity: neither HOME nor MBCHAIN_IDENTITY is set")
	}
	return dir + "/mbchain/identity.pem", nil
}

// loaded returns this user's identity as it is in the file.
func (w *world) loaded() (string, *identity.Bundle, error) {
	path, err := w.identityPath()
	if err != nil {
		return "", nil, err
	}
	b, err := w.load(path)
	if errors.Is(err, os.ErrNotExist) {
		return path, nil, &failure{code: exitFailure, err: fmt.Errorf("no certificate in %s to show to policyd", path),
			hint: "let an operator say `mbctl token create --role operator`, then `mbctl identity join --name YOU` and paste the token; on policyd's host root needs none"}
	}
	return path, b, err
}

// identity returns this user's identity, renewed if it is time; nil, if all addresses
// are sockets. One that could not be renewed serves as long as it lives.
func (w *world) identity(ctx context.Context, addresses []string) (*identity.Bundle, error) {
	addresses = slices.DeleteFunc(slices.Clone(addresses), isSocket)
	if len(addresses) == 0 {
		return nil, nil
	}
	path, b, err := w.loaded()
	if err != nil {
		return nil, err
	}
	now := w.now()
	switch {
	case now.After(b.Leaf.NotAfter):
		return nil, &failure{code: exitFailure, err: fmt.Errorf("certificate in %s expired at %s", path, b.Leaf.NotAfter.UTC().Format(time.RFC3339)),
			hint: "let an operator say `mbctl token create --role " + b.Subject().Role.String() + " --name " + b.Subject().Name + "`, then `mbctl identity join --name " + b.Subject().Name + "`"}
	case now.Before(b.RenewAt()):
		return b, nil
	}
	renewed, err := w.enroll(b.Subject(), func(request []byte) (leaf, ca *x509.Certificate, err error) {
		for _, address := range addresses {
			leaf, ca, err = enroll.Renew(ctx, w.server(address), identity.Fixed(b), request)
			if err == nil || enroll.Answered(err) {
				break
			}
		}
		return leaf, ca, err
	})
	if err == nil {
		err = w.save(path, renewed)
	}
	if err != nil {
		w.warnf("certificate not renewed, it is valid until %s: %v", b.Leaf.NotAfter.UTC().Format(time.RFC3339), err)
		return b, nil
	}
	return renewed, nil
}

// enroll gets a certificate for a new key.
func (w *world) enroll(s identity.Subject, ask func(request []byte) (leaf, ca *x509.Certificate, err error)) (*identity.Bundle, error) {
	key, err := identity.NewKey()
	if err != nil {
		return nil, err
	}
	request, err := identity.NewRequest(key, s, nil)
	if err != nil {
		return nil, err
	}
	leaf, ca, err := ask(request)
	if err != nil {
		return nil, err
	}
	return identity.NewBundle(key, leaf, ca)
}

func (w *world) server(address string) enroll.Server {
	return enroll.Server{Address: address, Dial: w.dial, Now: w.now}
}
