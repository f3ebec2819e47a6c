// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/x509"
	"sync"
	"time"

	"mbchain/identity"
)

// known is whom the certificate that a connection was opened with is for. To verify a
// signature for each call takes longer than most calls; for the same certificate and CA
// it says the same as long as the certificate is valid. Whether it was revoked is looked
// at for each call, elsewhere.
type known struct {
	mu      sync.Mutex
	leaf    *x509.Certificate
	ca      *x509.Certificate
	subject identity.Subject
}

type knownKey struct{}

// verify is [identity.Verify]; k may be nil, which remembers nothing.
func (k *known) verify(chain []*x509.Certificate, ca *x509.Certificate, now time.Time) (identity.Subject, error) {
	if k == nil || len(chain) == 0 {
		return identity.Verify(chain, ca, now)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	valid := func(c *x509.Certificate) bool { return !now.Before(c.NotBefore) && !now.After(c.NotAfter) }
	if k.leaf == chain[0] && k.ca == ca && valid(chain[0]) && valid(ca) {
		return k.subject, nil
	}
	subject, err := identity.Verify(chain, ca, now)
	if err == nil {
		k.leaf, k.ca, k.subject = chain[0], ca, subject
	}
	return subject, err
}
