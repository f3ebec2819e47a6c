// SPDX-License-Identifier: Apache-2.0

// Agentd is the agent of one host in a domain of mbchain. It takes the host's
// part of the policy from policyd, compiles it and loads it into the kernel
// module, keeps the last good one on disk, and answers what policyd and mbctl
// ask about the host. It is not on the packet path: the module carries live
// sessions and sets new ones up while agentd is away.
//
// The parts are in internal: subpolicy decides, agent does, and kernel, push,
// state and api are its hands for the module, policyd, the disk and the local
// socket.
package main
