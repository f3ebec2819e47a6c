// SPDX-License-Identifier: Apache-2.0

package state

import "errors"

// What a caller may test an error for.
var (
	// ErrInUse: another process has the directory.
	ErrInUse = errors.New("in use by another agentd")
	// ErrUnreadable: the record is damaged, or of a version unknown here.
	ErrUnreadable = errors.New("unreadable record")
)
