// SPDX-License-Identifier: Apache-2.0

package peer

import "errors"

// ErrMalformed: what came is no message.
var ErrMalformed = errors.New("malformed message")
