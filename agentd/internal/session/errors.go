// SPDX-License-Identifier: Apache-2.0

package session

import "errors"

// ErrUnexpected: the event makes no sense in the machine's state. A neighbour
// that causes it does not keep to the protocol.
var ErrUnexpected = errors.New("unexpected event")
