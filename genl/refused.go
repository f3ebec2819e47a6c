// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/mdlayher/netlink"
)

// A RefusedError is the kernel's refusal of one request.
type RefusedError struct {
	Op      string        // what was asked for, such as "delete session"
	Errno   syscall.Errno // as the kernel gave it
	Message string        // the module's explanation, "" if it gave none
	Offset  int           // byte of the request that it is about, 0: none

	kind error // the sentinel for Errno
}

// Error returns the operation and why it was refused.
func (e *RefusedError) Error() string {
	switch {
	case e.Message == "":
		return fmt.Sprintf("%s: %v", e.Op, e.kind)
	case e.kind == e.Errno:
		return fmt.Sprintf("%s: %s (%v)", e.Op, e.Message, e.Errno)
	}
	return fmt.Sprintf("%s: %v: %s", e.Op, e.kind, e.Message)
}

// Unwrap returns the sentinel and the error number, for errors.Is.
func (e *RefusedError) Unwrap() []error { return []error{e.kind, e.Errno} }

// kinds maps every error number that the module or netlink is known to answer.
var kinds = map[syscall.Errno]error{
	syscall.EPERM:           ErrPermission,
	syscall.EACCES:          ErrPermission,
	syscall.ENOENT:          ErrNotFound,
	syscall.EBUSY:           ErrBusy,
	syscall.ERANGE:          ErrRange,
	syscall.EINVAL:          ErrInvalid,
	syscall.EEXIST:          ErrExists,
	syscall.E2BIG:           ErrTooBig,
	syscall.ENOSPC:          ErrTooBig,
	syscall.EMSGSIZE:        ErrTooBig,
	syscall.ENOMEM:          ErrNoMemory,
	syscall.ENOBUFS:         ErrNoMemory,
	syscall.ELOOP:           ErrLoop,
	syscall.EHOSTUNREACH:    ErrNoRoute,
	syscall.EADDRNOTAVAIL:   ErrNoPort,
	syscall.EALREADY:        ErrAlready,
	syscall.ENODEV:          ErrNoDevice,
	syscall.EOPNOTSUPP:      ErrNotSupported,
	syscall.EPROTONOSUPPORT: ErrNotSupported,
	syscall.EAFNOSUPPORT:    ErrNotSupported,
}

// refused says that op failed with err, as a *RefusedError if err comes from
// the kernel. One that is a *RefusedError already keeps its own operation.
func refused(op string, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) || errors.As(err, new(*RefusedError)) {
		return fmt.Errorf("%s: %w", op, err)
	}
	e := &RefusedError{Op: op, Errno: errno, kind: errno}
	if kind, ok := kinds[errno]; ok {
		e.kind = kind
	}
	var oe *netlink.OpError
	if errors.As(err, &oe) {
		e.Message, e.Offset = oe.Message, oe.Offset
	}
	return e
}
