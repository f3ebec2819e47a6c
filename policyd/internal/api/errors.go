// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"mbchain/identity"
	"mbchain/policyd/internal/cluster"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/store"
)

// errSuperseded ends work for a policy that is not the running one any more.
var errSuperseded = errors.New("another policy runs by now")

// codes is what a caller is told for each error that one may act on. The
// first that fits counts.
var codes = []struct {
	err  error
	code connect.Code
}{
	{cluster.ErrNotReady, connect.CodeUnavailable},
	{push.ErrNotReady, connect.CodeUnavailable},
	{push.ErrStopping, connect.CodeUnavailable},
	{push.ErrNotLeading, connect.CodeUnavailable},
	{errNoRaftPort, connect.CodeFailedPrecondition},
	{errAlive, connect.CodeAlreadyExists},
	{errQuorum, connect.CodeFailedPrecondition},
	{cluster.ErrMember, connect.CodeFailedPrecondition},
	{cluster.ErrNoMember, connect.CodeNotFound},
	{identity.ErrRevoked, connect.CodeUnauthenticated},
	{identity.ErrExpired, connect.CodeUnauthenticated},
	{store.ErrToken, connect.CodeUnauthenticated},
	{store.ErrNameTaken, connect.CodeAlreadyExists},
	{store.ErrUnknown, connect.CodeNotFound},
	{cluster.ErrUnknownOutcome, connect.CodeUnknown},
	{store.ErrVersion, connect.CodeAborted},
	{store.ErrAddressTaken, connect.CodeAlreadyExists},
	{store.ErrDrainedWhole, connect.CodeFailedPrecondition},
	{store.ErrFull, connect.CodeResourceExhausted},
	{push.ErrReplaced, connect.CodeAborted},
	{push.ErrDisplaced, connect.CodeAborted},
	{push.ErrUnknownHost, connect.CodeNotFound},
	{push.ErrNoStream, connect.CodeFailedPrecondition},
	{context.Canceled, connect.CodeCanceled},
	{context.DeadlineExceeded, connect.CodeDeadlineExceeded},
}

// coded returns err with its Connect code.
func coded(err error) error {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			to := connect.NewError(c.code, err)
			switch {
			case c.err == cluster.ErrUnknownOutcome:
				tryAgain(to, outcomeUnknown)
			case c.code == connect.CodeUnavailable:
				tryAgain(to, nothingDone)
			}
			return to
		}
	}
	return connect.NewError(connect.CodeInternal, err)
}

// tryAgain tells who called that the same may have another outcome in a moment,
// and whether it may have taken effect.
func tryAgain(err *connect.Error, done string) *connect.Error {
	err.Meta().Set(headerTryAgain, done)
	return err
}

// invalid says which field of a request is wrong, and why.
func invalid(format string, args ...any) *connect.Error {
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf(format, args...))
}
