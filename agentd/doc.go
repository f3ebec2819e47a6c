// SPDX-License-Identifier: Apache-2.0

// Agentd is the agent of one host in a domain of mbchain. It takes the host's
// part of the policy from policyd, compiles it and loads it into the kernel
// module, keeps the last good one on disk, and answers what policyd and mbctl
// ask about the host. It is not on the packet path: the module carries live
// sessions, and sets new ones up by the header in their SYN, while agentd is away.
//
// Sessions that cannot be set up by the header in a SYN, those of UDP for
// instance, it sets up together with the agents of the other hosts.
//
// It joins the domain with a token, and its certificate (package identity) serves
// for policyd and for other agents.
//
// The parts are in internal: subpolicy decides, agent does, and kernel, push,
// state and api are its hands for the module, policyd, the disk and the local
// socket; session decides on one set-up, setup does, and peer is its way to the
// other hosts.
package main
