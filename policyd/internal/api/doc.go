// SPDX-License-Identifier: Apache-2.0

// Package api is policyd's face: PolicyService, DomainService, MigrationService
// and ClusterService for mbctl, AgentService for the agents, over Connect, gRPC
// or plain JSON, by HTTP/1.1 or HTTP/2 without TLS on one port.
//
// Every node takes every call. What needs the leader, because it changes the
// state or is about hosts that are connected, is passed on to it as it is, body
// and answer, streams too: a node that follows keeps nothing of it.
//
// What comes in is checked here, before anything is proposed or kept: sizes,
// names, addresses. What is wrong is answered with a Connect code and a reason
// that names the field. Every connection has limits in time, so that a client
// which stops reading or writing costs nothing but its own connection.
//
// A [Server] may be used from several goroutines.
package api
