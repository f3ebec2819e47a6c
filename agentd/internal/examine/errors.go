// SPDX-License-Identifier: Apache-2.0

package examine

import "errors"

// ErrBusy: one examination at a time.
var ErrBusy = errors.New("examine host: another examination is under way: try again in a moment")
