// SPDX-License-Identifier: Apache-2.0

// Package kernel is agentd's way to the kernel module: it turns what the
// control protocol says into what package genl says, and back. It alone of
// agentd imports genl.
//
// A [Kernel] needs no module to begin with: each call finds the one that is
// there, and the error is [ErrAbsent] while there is none. Only
// [Kernel.Watch] is about one module: that which is there when it begins.
//
// A Kernel may be used by several goroutines at once.
package kernel
