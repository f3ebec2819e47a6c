// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"mbchain/identity"
)

// A certificate that was verified on a connection is not taken for longer than it is
// valid, nor for one of another CA.
func TestKnownCertificateIsJudgedAgain(t *testing.T) {
	now := time.Now()
	newCA := func() *identity.CA {
		ca, err := identity.NewCA(now)
		if err != nil {
			t.Fatal(err)
		}
		return ca
	}
	ca, other := newCA(), newCA()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := ca.IssueKey(key, identity.Subject{Role: identity.Agent, Name: "mb1"}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.IssueKey(key, identity.Subject{Role: identity.Operator, Name: "anna"}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	shown := []*x509.Certificate{b.Leaf}
	for _, tt := range []struct {
		name  string
		shown []*x509.Certificate
		ca    *x509.Certificate
		now   time.Time
		want  error
	}{
		{"first", shown, b.CA, now, nil},
		{"again", shown, b.CA, now, nil},
		{"expired", shown, b.CA, b.Leaf.NotAfter.Add(time.Second), identity.ErrExpired},
		{"in time again", shown, b.CA, now, nil},
		{"not yet valid", shown, b.CA, b.Leaf.NotBefore.Add(-time.Second), identity.ErrExpired},
		{"another CA", shown, foreign.CA, now, identity.ErrForeign},
		{"another certificate", []*x509.Certificate{foreign.Leaf}, b.CA, now, identity.ErrForeign},
		{"none", nil, b.CA, now, identity.ErrNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := &known{}
			for range 2 { // one that knows nothing, and one that was asked about the first
				got, err := k.verify(tt.shown, tt.ca, tt.now)
				if !errors.Is(err, tt.want) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
				if err == nil && got.Name != "mb1" || err != nil && got.Name != "" {
					t.Errorf("it is %v's", got)
				}
				k = &known{}
				if _, err := k.verify(shown, b.CA, now); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
