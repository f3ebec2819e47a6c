// SPDX-License-Identifier: Apache-2.0

package subpolicy

import "errors"

// ErrUnexpected is what [Machine.Step] returns for an event that cannot happen
// in this state: a mistake of the caller.
var ErrUnexpected = errors.New("unexpected event")

var errNotAsked = errors.New("the kernel module was not asked yet")
