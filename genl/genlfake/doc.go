// SPDX-License-Identifier: Apache-2.0

// Package genlfake is an mbchain module for tests: a [Kernel] answers the
// commands of kmod/uapi/mbchain.h as the module does, down to the messages on
// the socket, but carries no traffic. Sessions and counters are what the test
// says they are.
//
//	kernel := genlfake.New()
//	client, err := genl.NewClient(kernel.Dial)
//
// A Kernel stands for one network namespace. It may be used by several
// goroutines at once, and inside a bubble of testing/synctest: who waits for
// events there is durably blocked. The package imports genl and chain.
package genlfake
