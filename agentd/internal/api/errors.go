// SPDX-License-Identifier: Apache-2.0

package api

import "errors"

// ErrInUse is what [Listen] returns when another process serves the socket.
var ErrInUse = errors.New("another agentd is running")
