// SPDX-License-Identifier: Apache-2.0

package migrate

import "errors"

// ErrForbidden: the host that sent a message may not send it, or it asks for what
// cannot be. Nothing changes.
var ErrForbidden = errors.New("forbidden message")
