// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"time"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/unixsocket"
)

// caller is who makes a request.
type caller struct {
	identity.Subject
	addresses []netip.Addr     // that it speaks for
	from      string           // address, or which socket
	expires   time.Time        // zero: never
	local     bool             // on the unix socket: nobody can revoke it
	via       identity.Subject // policy server that passes the request on; zero: none
	anyHost   bool             // it speaks for every host: in tests alone
}

type callerKey struct{}

// callerIn returns who makes the request of a context: nobody, if there is no
// certificate.
func callerIn(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	if c == nil {
		return &caller{}
	}
	return c
}

// peer returns the address of who calls.
func peer(ctx context.Context) string { return callerIn(ctx).from }

// identify finds out who makes a request.
func (s *Server) identify(r *http.Request) (*caller, error) {
	if c, ok := r.Context().Value(localKey{}).(*caller); ok {
		if c.Role == 0 {
			return c, fmt.Errorf("%w: only root and the user who runs policyd may use its socket", identity.ErrRole)
		}
		return c, nil
	}
	c := &caller{from: r.RemoteAddr}
	if r.TLS == nil {
		return c, identity.ErrNone
	}
	own, err := s.Self.Bundle()
	if err != nil {
		return c, err
	}
	shown := r.TLS.PeerCertificates
	known, _ := r.Context().Value(knownKey{}).(*known)
	if c.Subject, err = known.verify(shown, own.CA, time.Now()); err != nil {
		return c, err
	}
	c.addresses, c.expires = identity.AddressesOf(shown[0]), shown[0].NotAfter
	return behalf(c, r.Header)
}

type localKey struct{}

// connContext notes who is at the other end of the unix socket, and makes room for
// who that is on a connection by TLS.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if u, ok := c.(*net.UnixConn); ok {
		return context.WithValue(ctx, localKey{}, localCaller(u))
	}
	return context.WithValue(ctx, knownKey{}, &known{})
}

// localCaller is the user at the other end, as the kernel names it. Nobody but root
// and the user who runs policyd has a role.
func localCaller(u *net.UnixConn) *caller {
	c := &caller{local: true, from: "unix"}
	who, err := unixsocket.Peer(u)
	if err != nil {
		return c
	}
	c.from = fmt.Sprintf("unix, uid %d, pid %d", who.Uid, who.Pid)
	switch int(who.Uid) {
	case 0:
		c.Subject = identity.Subject{Role: identity.Operator, Name: "root"}
	case os.Geteuid():
		c.Subject = identity.Subject{Role: identity.Operator, Name: fmt.Sprintf("uid%d", who.Uid)}
	}
	return c
}

// mayBe says whether who calls may speak for a host.
func (s *Server) mayBe(ctx context.Context, host string) error {
	c := callerIn(ctx)
	if c.anyHost || c.Role == identity.Agent && c.Name == host {
		return nil
	}
	return s.notAllowed(ctx, fmt.Errorf("%w: the certificate is that of %s, who may not speak for host %q: is agentd --name another than it joined with?",
		identity.ErrRole, c, host))
}

// mayBeNode says whether who calls is the policy server called name.
func mayBeNode(ctx context.Context, name string) error {
	c := callerIn(ctx)
	if c.anyHost || c.Role == identity.Policyd && c.Name == name {
		return nil
	}
	return connect.NewError(connect.CodePermissionDenied,
		fmt.Errorf("%w: the certificate is that of %s, who may not join as node %q: is policyd --id another than it got its certificate with?", identity.ErrRole, c, name))
}

// mayHave says whether a host may have addresses.
func (s *Server) mayHave(ctx context.Context, addresses []netip.Addr) error {
	c := callerIn(ctx)
	for _, a := range addresses {
		if !c.anyHost && !slices.Contains(c.addresses, a) {
			return s.notAllowed(ctx, fmt.Errorf("%w: the certificate of %s is not for address %s: agentd has it renewed when its addresses change",
				identity.ErrRole, c, a))
		}
	}
	return nil
}

// notAllowed counts and logs a call that goes too far, and returns its answer.
func (s *Server) notAllowed(ctx context.Context, err error) error {
	procedure := ""
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		procedure = info.Spec().Procedure
	}
	s.turnAway(ctx, callerIn(ctx), procedure, err)
	return connect.NewError(connect.CodePermissionDenied, err)
}
