// SPDX-License-Identifier: Apache-2.0

package identity

import "errors"

// Why somebody is not who he says. Each is a reason that is counted.
var (
	// ErrNone: no certificate was shown.
	ErrNone = errors.New("no certificate was shown")
	// ErrForeign: another CA signed it, or nobody did.
	ErrForeign = errors.New("certificate is not one of this domain's CA")
	// ErrExpired: its time is over, or has not begun.
	ErrExpired = errors.New("certificate has expired, or is not valid yet")
	// ErrNameless: there is no role and name in it.
	ErrNameless = errors.New("certificate names no role and name of mbchain")
	// ErrRole: the role may not do that.
	ErrRole = errors.New("role does not allow it")
	// ErrRevoked: the certificate was revoked, or a newer one took its place.
	ErrRevoked = errors.New("certificate was revoked or replaced")
	// ErrMalformed: the bytes are not what they should be.
	ErrMalformed = errors.New("malformed")
)
