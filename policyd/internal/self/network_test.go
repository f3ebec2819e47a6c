// SPDX-License-Identifier: Apache-2.0

package self

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"mbchain/identity"
)

func certify(t *testing.T, ca *identity.CA, role identity.Role, at time.Time) identity.Source {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := ca.IssueKey(key, identity.Subject{Role: role, Name: "x", Epoch: 1}, nil, at)
	if err != nil {
		t.Fatal(err)
	}
	return identity.Fixed(b)
}

// echo serves a network's port, and returns where.
func echo(t *testing.T, n Network) string {
	t.Helper()
	l, err := n.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// says sends a word and wants it back.
func says(c net.Conn) error {
	defer c.Close()
	if _, err := io.WriteString(c, "vote"); err != nil {
		return err
	}
	b := make([]byte, 4)
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if string(b) != "vote" {
		return errors.New("something else came back")
	}
	return nil
}

func TestVotersReachEachOther(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	now := time.Now()
	me := certify(t, ca, identity.Policyd, now)
	tests := []struct {
		name string
		who  identity.Source
		want error // of who listens; nil: it is let in
	}{
		{"a voter", certify(t, ca, identity.Policyd, now), nil},
		{"a host", certify(t, ca, identity.Agent, now), identity.ErrRole},
		{"an operator", certify(t, ca, identity.Operator, now), identity.ErrRole},
		{"who has expired", certify(t, ca, identity.Policyd, now.Add(-identity.DaemonLife-time.Hour)), identity.ErrExpired},
		{"who is of another domain", mixed(t, other, ca, now), identity.ErrForeign},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refused := make(chan error, 1)
			address := echo(t, Network{Identity: me, Refused: func(_ net.Addr, err error) { refused <- err }})
			c, err := Network{Identity: tt.who}.Dial(address, 10*time.Second)
			if err == nil {
				err = says(c)
			}
			if (err == nil) != (tt.want == nil) {
				t.Errorf("error %v, want it because of %v", err, tt.want)
			}
			if tt.want != nil {
				if got := <-refused; !errors.Is(got, tt.want) {
					t.Errorf("refused because of %v, want %v", got, tt.want)
				}
			}
		})
	}
	// Who dials judges, too.
	foreign := echo(t, Network{Identity: certify(t, other, identity.Policyd, now)})
	if _, err := (Network{Identity: me}).Dial(foreign, 10*time.Second); !errors.Is(err, identity.ErrForeign) {
		t.Errorf("dialled another domain: %v", err)
	}
	host := echo(t, Network{Identity: certify(t, ca, identity.Agent, now)})
	if _, err := (Network{Identity: me}).Dial(host, 10*time.Second); !errors.Is(err, identity.ErrRole) {
		t.Errorf("dialled a host: %v", err)
	}
	// Without TLS nothing comes back.
	plain, err := net.Dial("tcp", echo(t, Network{Identity: me}))
	if err != nil {
		t.Fatal(err)
	}
	if says(plain) == nil {
		t.Error("plain text was answered")
	}
}

func newAuthority(t *testing.T) *identity.CA {
	t.Helper()
	ca, err := identity.NewCA(time.Now().Add(-2 * identity.DaemonLife))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// mixed is of one domain and trusts another, so that it gets as far as it can.
func mixed(t *testing.T, of, trusts *identity.CA, at time.Time) identity.Source {
	t.Helper()
	b, _ := certify(t, of, identity.Policyd, at).Bundle()
	return identity.Fixed(&identity.Bundle{Key: b.Key, Leaf: b.Leaf, CA: trusts.Cert})
}
