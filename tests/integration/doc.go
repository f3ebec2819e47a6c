// SPDX-License-Identifier: Apache-2.0

// Package integration shows from outside that sessions pass their chains:
// packets on wires, sockets of applications, counters of the module, output of
// mbctl. It holds tests alone.
//
// The tests run as root where the module is loaded, that is, in a guest of
// tests/vm/run, as a binary that was compiled outside:
//
//	CGO_ENABLED=0 go test -c -o build/integration.test ./tests/integration
//	tests/vm/run -- build/integration.test -test.run TestTransfer
//
// Elsewhere they skip, unless MBCHAIN_REQUIRE_KERNEL=1 makes that a failure.
// MBCHAIN_SOAK=1 runs every combination of the matrices instead of a sample,
// MBCHAIN_SLOW=4 has patience with a kernel that is four times slower.
//
// Words: a host is a network namespace. The lab is the topology of tests/lab
// with all daemons, brought up once for the tests that need it. A rig is a
// small chain of hosts without daemons, into which a test loads keys and
// policies itself. Where a package of the project has a word for it, that is
// used.
//
// The package imports the public packages of the module only, and never one
// below an internal directory. Tests run one after the other.
package integration
