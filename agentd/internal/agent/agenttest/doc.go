// SPDX-License-Identifier: Apache-2.0

// Package agenttest has a kernel module for tests of the agent and above: a
// [Module] takes keys and subpolicies as they come, and has the sessions that
// the test gives it. It knows nothing of netlink; that is package kernel's to
// be tested with.
//
// A Module may be used by several goroutines at once, and inside a bubble of
// testing/synctest.
package agenttest
