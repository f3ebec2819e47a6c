// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"
)

// exitCode is the status mbctl ends with. Scripts depend on the numbers:
// append-only, and listed in docs/MBCTL.md.
type exitCode int

const (
	exitOK exitCode = iota
	exitFailure
	exitUsage
	exitNotFound
	exitPolicyWrong
	exitHosts // some hosts refused or did not answer, some sessions did not change
	exitUnreachable
)

// exitMeanings is what --help says; the index is the code.
var exitMeanings = []string{
	"done",
	"failure",
	"wrong usage",
	"not found",
	"the policy is wrong",
	"some hosts refused or did not answer, or some sessions did not change",
	"policyd or the agent cannot be reached",
}

// failure is an error that knows its exit code and what to do about it.
type failure struct {
	code exitCode
	err  error  // nil: all was said already
	hint string // what to do next; may be empty
}

func (f *failure) Error() string {
	if f.err == nil {
		return exitMeanings[f.code]
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

func usagef(format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...)}
}

func notFound(hint, format string, args ...any) error {
	return &failure{code: exitNotFound, err: fmt.Errorf(format, args...), hint: hint}
}

// silent ends with code; the command has said all there is to say.
func silent(code exitCode) error { return &failure{code: code} }

// report prints an error and says which code to end with.
func (w *world) report(err error) exitCode {
	if err == nil {
		return exitOK
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{code: exitFailure, err: err}
	}
	switch {
	case f.err == nil:
	case f.hint == "":
		w.warnf("%s", clean(f.err.Error()))
	default:
		w.warnf("%s; %s", clean(f.err.Error()), f.hint)
	}
	return f.code
}

// remote is one daemon that mbctl asks, with the words for its errors.
type remote struct {
	name    string // "policyd at 127.0.0.1:7400"
	restart string // what to do when it cannot be reached
}

// failed turns the error of a call to the remote into one for the operator.
func (r remote) failed(err error) error {
	if !connect.IsWireError(err) {
		return &failure{code: exitUnreachable, hint: r.hint(err),
			err: fmt.Errorf("cannot reach %s: %w", r.name, rootCause(err))}
	}
	var answer *connect.Error
	errors.As(err, &answer)
	f := &failure{code: exitFailure, err: fmt.Errorf("%s: %s", r.name, answer.Message())}
	switch answer.Code() {
	case connect.CodeInvalidArgument:
		f.code = exitUsage
	case connect.CodeNotFound:
		f.code = exitNotFound
		f.hint = "see `mbctl host list`"
	case connect.CodeUnauthenticated:
		f.hint = "see `mbctl identity show`; join again with a token: `mbctl identity join`"
	case connect.CodeUnavailable:
		f.code = exitUnreachable
		f.hint = "it answers, but cannot do this now: try again in a moment"
	case connect.CodeDeadlineExceeded:
		f.code = exitUnreachable
		f.hint = r.hint(context.DeadlineExceeded)
	case connect.CodeUnimplemented:
		f.hint = "is it of another version? compare `mbctl version` with `mbctl status`"
	}
	return f
}

func (r remote) hint(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time: raise --timeout, or see whether it is alive"
	case errors.Is(err, context.Canceled):
		return ""
	default:
		return r.restart
	}
}

// rootCause is the last error of the chain: "connection refused" without the
// four layers that each say "dial" before it.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
