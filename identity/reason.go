// SPDX-License-Identifier: Apache-2.0

package identity

import "errors"

// reasons are the words under which refusals are counted and logged. Append-only.
var reasons = []struct {
	err  error
	word string
}{
	{ErrNone, "no_certificate"},
	{ErrExpired, "expired"},
	{ErrForeign, "foreign"},
	{ErrNameless, "nameless"},
	{ErrRevoked, "revoked"},
	{ErrRole, "role"},
	{ErrMalformed, "malformed"},
}

// Reason returns the word for a refusal, "other" if there is none.
func Reason(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.word
		}
	}
	return "other"
}
