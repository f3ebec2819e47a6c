// SPDX-License-Identifier: Apache-2.0

// Package nfstate takes the state that a network function has of one session, and
// gives it to another instance (paper section 5.2: the NF state moves while packets
// are held).
//
// Two methods: conntrack, the flow's entry of the kernel's connection tracking, by
// ctnetlink; exec, a program of the operator's. State comes from another host, so it
// is bounded and checked before anything is done with it.
package nfstate
