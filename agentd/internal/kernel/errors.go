// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"fmt"

	"mbchain/genl"
)

// What a caller may test an error for.
var (
	// ErrAbsent: no module in this network namespace.
	ErrAbsent = errors.New("no module")
	// ErrPasses: a reason that passes by itself; the same call may succeed
	// later.
	ErrPasses = errors.New("try again")
)

// passing are the refusals that say nothing against what was asked for. Those
// of ErrNotFound come from a module that was loaded anew in the middle.
var passing = []error{
	genl.ErrBusy, genl.ErrNoMemory, genl.ErrInterrupted, genl.ErrNotFound,
}

// kindError is an error with a kind that errors.Is finds and nobody reads.
type kindError struct {
	error
	kind error
}

func (e kindError) Unwrap() []error { return []error{e.error, e.kind} }

// classified gives err the kind that callers test for, if it has one.
func classified(err error) error {
	if errors.Is(err, genl.ErrNotSupported) {
		return kindError{err, ErrAbsent}
	}
	for _, p := range passing {
		if errors.Is(err, p) {
			return kindError{err, ErrPasses}
		}
	}
	return err
}

// inPart says what part of a subpolicy an error is about.
func inPart(err error, format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
