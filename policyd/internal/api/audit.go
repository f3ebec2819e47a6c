// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"connectrpc.com/connect"

	"mbchain/identity"
)

// notes are what a handler adds to its line in the audit log.
type notes struct {
	mu    sync.Mutex
	attrs []slog.Attr
}

type notesKey struct{}

// note adds to the line in the audit log of the request of ctx.
func note(ctx context.Context, key string, value any) {
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.attrs = append(n.attrs, slog.Any(key, value))
	}
}

// audited writes a line for each call that is meant to change something, whatever
// comes of it.
func (s *Server) audited() connect.Interceptor {
	return connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
			procedure := r.Spec().Procedure
			if access, _ := identity.AccessTo(procedure); !access.Change {
				return next(ctx, r)
			}
			n := &notes{}
			answer, err := next(context.WithValue(ctx, notesKey{}, n), r)
			n.mu.Lock()
			defer n.mu.Unlock()
			s.audit(ctx, callerIn(ctx), procedure, n.attrs, err)
			return answer, err
		}
	})
}

// audit writes one line: who, what, from where, with what result. When is the
// line's own time. Of callers that nobody knows one a second is enough: who can
// reach the port must not fill the disk.
func (s *Server) audit(ctx context.Context, who *caller, procedure string, attrs []slog.Attr, err error) {
	if s.Audit == nil {
		return
	}
	// Anybody can be refused as often as he likes.
	if connect.CodeOf(err) == connect.CodeUnauthenticated && !s.guard.seldom("audit") {
		return
	}
	result := "done"
	if err != nil {
		result = connect.CodeOf(err).String()
	}
	what := procedure[strings.LastIndexByte(procedure[:strings.LastIndexByte(procedure, '/')], '.')+1:]
	line := []slog.Attr{
		slog.String("what", what), slog.String("role", who.roleName()), slog.String("name", who.Name),
		slog.String("from", who.from), slog.String("result", result),
	}
	if err != nil {
		line = append(line, slog.String("error", err.Error()))
	}
	s.Audit.LogAttrs(ctx, slog.LevelInfo, "change", append(line, attrs...)...)
}

func (c *caller) roleName() string {
	if c.Role == 0 {
		return "nobody"
	}
	return c.Role.String()
}
