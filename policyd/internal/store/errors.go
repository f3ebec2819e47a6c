// SPDX-License-Identifier: Apache-2.0

package store

import "errors"

// Why a command was refused. The state is then as it was before.
var (
	// ErrVersion: SetPolicy.IfVersion is not the running version.
	ErrVersion = errors.New("policy version does not match")
	// ErrAddressTaken: another host has the address.
	ErrAddressTaken = errors.New("address belongs to another host")
	// ErrToken: it does not admit who shows it.
	ErrToken = errors.New("token is not valid")
	// ErrNameTaken: somebody else was admitted under the name.
	ErrNameTaken = errors.New("name belongs to another")
	// ErrUnknown: nobody was admitted under the name.
	ErrUnknown = errors.New("nobody joined under that name")
	// ErrDrainedWhole: an instance cannot be undrained for itself.
	ErrDrainedWhole = errors.New("host is drained as a whole")
	// ErrFull: MaxHosts, MaxAddresses, MaxTokens, MaxMembers or MaxDrains is reached.
	ErrFull = errors.New("no room for another one")
	// ErrDamaged: the log holds an entry that this program cannot read.
	ErrDamaged = errors.New("state cannot be followed")
)
