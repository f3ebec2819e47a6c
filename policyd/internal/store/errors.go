// SPDX-License-Identifier: Apache-2.0

package store

import "errors"

// Why a command was refused. The state is then as it was before.
var (
	// ErrVersion: SetPolicy.IfVersion is not the running version.
	ErrVersion = errors.New("policy version does not match")
	// ErrAddressTaken: another host has the address.
	ErrAddressTaken = errors.New("address belongs to another host")
	// ErrFull: MaxHosts or MaxAddresses is reached.
	ErrFull = errors.New("no room for another host")
	// ErrDamaged: the log holds an entry that this program cannot read.
	ErrDamaged = errors.New("state cannot be followed")
)
