// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/hex"

	"connectrpc.com/connect"

	"mbchain/policyd/internal/store"
)

// Headers beside the messages; proto/cluster.proto says what they mean.
const (
	headerNode      = "Mbchain-Node"
	headerIndex     = "Mbchain-Applied-Index"
	headerTryAgain  = "Mbchain-Try-Again"
	headerRequest   = "Mbchain-Request"
	headerRead      = "Mbchain-Read"
	headerForwarded = "Mbchain-Forwarded-By"
)

// Values of headerTryAgain.
const (
	nothingDone    = "nothing"
	outcomeUnknown = "unknown"
)

// readLocal is the value of headerRead that asks for the node's own copy.
const readLocal = "local"

// requestHeader returns a header of the request that ctx is about.
func requestHeader(ctx context.Context, name string) string {
	info, ok := connect.CallInfoForHandlerContext(ctx)
	if !ok {
		return ""
	}
	return info.RequestHeader().Get(name)
}

// requestNumber returns the number that the sender gave a request, nil if none.
func requestNumber(ctx context.Context) ([]byte, error) {
	text := requestHeader(ctx, headerRequest)
	if text == "" {
		return nil, nil
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != store.RequestLen {
		return nil, invalid("%s: %q is not %d hexadecimal digits", headerRequest, shorten(text), 2*store.RequestLen)
	}
	return b, nil
}
