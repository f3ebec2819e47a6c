// SPDX-License-Identifier: Apache-2.0

package push

import "errors"

// ErrAway: policyd cannot be reached.
var ErrAway = errors.New("policyd is away")
