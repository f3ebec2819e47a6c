// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"time"

	"mbchain/proto"
)

type controllerKey struct{}

// limitTime gives every request a time to be read and one to be answered. The
// server's own ReadTimeout and WriteTimeout would end the streams, too.
func limitTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		now := time.Now()
		// A connection that is gone already shows itself at the next read.
		_ = c.SetReadDeadline(now.Add(readTimeout))
		_ = c.SetWriteDeadline(now.Add(readTimeout + writeTimeout))
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), controllerKey{}, c)))
	})
}

// sendWithin returns send with a time limit for each push, in place of the
// limits of the request, whose body has been read.
func sendWithin(ctx context.Context, limit time.Duration, send func(*proto.Push) error) (func(*proto.Push) error, error) {
	c := ctx.Value(controllerKey{}).(*http.ResponseController)
	none := time.Time{}
	if err := c.SetReadDeadline(none); err != nil {
		return nil, err
	}
	if err := c.SetWriteDeadline(none); err != nil {
		return nil, err
	}
	return func(p *proto.Push) error {
		if err := c.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
		if err := send(p); err != nil {
			return err
		}
		// HTTP/2 ends a stream at its deadline even if nothing is being sent.
		return c.SetWriteDeadline(none)
	}, nil
}
