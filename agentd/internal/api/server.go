// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"mbchain/proto/protoconnect"
)

const (
	// headerTimeout frees the connection of a client that says nothing.
	headerTimeout = 10 * time.Second
	// stopTimeout is how long answers under way may take once the server is
	// to stop.
	stopTimeout = 2 * time.Second
	// maxRequest is how large a request may be, in bytes: the largest one
	// is an id and a host name.
	maxRequest = 64 << 10
)

// Serve answers on ln until ctx is done, and closes ln.
func Serve(ctx context.Context, ln net.Listener, service *Service) error {
	path, handler := protoconnect.NewLocalServiceHandler(service, connect.WithReadMaxBytes(maxRequest))
	mux := http.NewServeMux()
	mux.Handle(path, handler)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler: mux, Protocols: &protocols, ReadHeaderTimeout: headerTimeout,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}

	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if server.Shutdown(wait) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(ln)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve local api: %w", errors.Join(err, server.Close()))
}
