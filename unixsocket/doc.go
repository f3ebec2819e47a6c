// SPDX-License-Identifier: Apache-2.0

// Package unixsocket opens the unix sockets of agentd and policyd, and says who is at
// the other end of one.
package unixsocket
