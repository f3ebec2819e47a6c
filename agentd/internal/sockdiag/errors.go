// SPDX-License-Identifier: Apache-2.0

package sockdiag

import "errors"

// ErrNotFound: no connection of this network namespace has the five-tuple.
var ErrNotFound = errors.New("no connection of this host has these addresses and ports")
