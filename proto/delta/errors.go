// SPDX-License-Identifier: Apache-2.0

package delta

import "errors"

// Why a change is refused.
var (
	// ErrBase: it changes another subpolicy than the one that is there.
	ErrBase = errors.New("it is a change of another subpolicy")
	// ErrRuns: its runs do not make a list out of what there is.
	ErrRuns = errors.New("its runs do not fit")
	// ErrSize: a list would have more elements than [MaxItems].
	ErrSize = errors.New("it makes too long a list")
	// ErrType: a rule names an NF type that is not there.
	ErrType = errors.New("a rule names a type that is not there")
	// ErrDigest: what comes of it is not what it should be.
	ErrDigest = errors.New("what comes of it has another digest")
)

var reasons = []struct {
	err  error
	name string
}{{ErrBase, "base"}, {ErrRuns, "runs"}, {ErrSize, "size"}, {ErrType, "type"}, {ErrDigest, "digest"}}

// Reason returns a word for why a change was refused, as counters have it: one of
// [Reasons], or empty if err is none of this package's.
func Reason(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.name
		}
	}
	return ""
}

// Reasons returns the words for why changes are refused.
func Reasons() []string {
	names := make([]string, len(reasons))
	for i, r := range reasons {
		names[i] = r.name
	}
	return names
}
