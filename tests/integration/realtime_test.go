// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A thread that comes before all others must never enter Go's scheduler: it would spin
// there for something that a thread holds which does not get the processor, until
// the kernel gives that a turn, after a second. Since Go 1.26 whoever comes out of a
// system call may have to wait for the monitor like this. So what such a thread does is
// nosplit, down to system calls that the scheduler does not see.

// comeFirst makes a thread run before all others that want to, and lets no signal
// interrupt it. No garbage may be collected until it ends.
func comeFirst() error {
	const priority = 50 // of 99
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, nil); err != nil {
		return fmt.Errorf("come before others: %w", err)
	}
	a := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: priority}
	if err := unix.SchedSetAttr(0, a, 0); err != nil {
		return fmt.Errorf("come before others: %w", err)
	}
	return nil
}

// rawMonotonic is the time of CLOCK_MONOTONIC.
//
//go:nosplit
func rawMonotonic() time.Duration {
	var ts unix.Timespec
	_, _, _ = syscall.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Sec)*time.Second + time.Duration(ts.Nsec)
}

// rawSleepUntil sleeps in the kernel, until a time of CLOCK_MONOTONIC.
//
//go:nosplit
func rawSleepUntil(due time.Duration) syscall.Errno {
	at := unix.Timespec{Sec: int64(due / time.Second), Nsec: int64(due % time.Second)}
	_, _, errno := syscall.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME,
		uintptr(unsafe.Pointer(&at)), 0, 0, 0)
	return errno
}

// rawPass writes a byte and reads it at the other end of a connection; both block.
//
//go:nosplit
func rawPass(from, to int) syscall.Errno {
	var b [1]byte
	n, _, errno := syscall.RawSyscall(unix.SYS_WRITE, uintptr(from), uintptr(unsafe.Pointer(&b)), 1)
	for again := errno == 0 && n == 1; again; again = errno == unix.EINTR {
		n, _, errno = syscall.RawSyscall(unix.SYS_READ, uintptr(to), uintptr(unsafe.Pointer(&b)), 1)
	}
	if errno == 0 && n != 1 {
		return unix.EPIPE // the connection is closed
	}
	return errno
}
