// SPDX-License-Identifier: Apache-2.0

package genl

import "errors"

// What a caller may test an error for.
var (
	// ErrNotSupported: this network namespace has no mbchain, or one that
	// does not know the command.
	ErrNotSupported = errors.New("mbchain is not available in this kernel: modprobe mbchain")
	// ErrPermission: the caller lacks CAP_NET_ADMIN.
	ErrPermission = errors.New("not permitted: CAP_NET_ADMIN is needed")
	// ErrNotFound: no such session, or no policy was begun.
	ErrNotFound = errors.New("not found")
	// ErrBusy: another connection is loading a policy, or the session is in
	// another migration, not established or about to leave this host.
	ErrBusy = errors.New("busy")
	// ErrRange: a value is outside the range that the module allows.
	ErrRange = errors.New("out of range")
	// ErrInvalid: the request is malformed or contradicts itself.
	ErrInvalid = errors.New("invalid")
	// ErrExists: something that must be unique is there twice.
	ErrExists = errors.New("exists already")
	// ErrTooBig: a limit on number or size is passed.
	ErrTooBig = errors.New("too big")
	// ErrNoMemory: the kernel could not allocate.
	ErrNoMemory = errors.New("out of kernel memory")
	// ErrLoop: the next host of the session is this one.
	ErrLoop = errors.New("the chain visits this host twice")
	// ErrNoRoute: there is none to the next host of the session.
	ErrNoRoute = errors.New("no route to the next host")
	// ErrNoPort: no pair of ports is free for a subsession.
	ErrNoPort = errors.New("no free pair of ports")
	// ErrAlready: the session does not wait, or not any more.
	ErrAlready = errors.New("does not wait")
	// ErrNoDevice: no network device of this namespace has that name.
	ErrNoDevice = errors.New("no such device")
	// ErrInterrupted: the table kept changing under a dump.
	ErrInterrupted = errors.New("dump interrupted")
	// ErrEventsLost: events came faster than they were read. What is lost
	// is lost: dump the sessions, then go on receiving.
	ErrEventsLost = errors.New("events lost")
	// ErrMalformed: an answer of the module makes no sense.
	ErrMalformed = errors.New("malformed answer")
)
