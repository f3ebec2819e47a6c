// SPDX-License-Identifier: Apache-2.0

// Package api is policyd's face: PolicyService, DomainService, MigrationService
// and ClusterService for mbctl, AgentService for the agents, IdentityService for
// both and for newcomers, over Connect, gRPC or plain JSON, by HTTP/1.1 or HTTP/2
// with TLS on one port, and for root of this host on a unix socket.
//
// Who calls is found out for each request (identify), and looked up in the table of
// package identity (guarded); a request whose certificate is revoked or expires is
// cut off (guard). What is meant to change something is written to the audit log.
//
// Every node takes every call. What needs the leader, because it changes the
// state or is about hosts that are connected, is passed on to it as it is, body
// and answer, streams too: a node that follows keeps nothing of it. It says for whom
// (behalf), and the leader judges that caller as if it had called itself.
//
// What comes in is checked here, before anything is proposed or kept: sizes,
// names, addresses. What is wrong is answered with a Connect code and a reason
// that names the field. Every connection has limits in time, so that a client
// which stops reading or writing costs nothing but its own connection.
//
// A [Server] may be used from several goroutines.
package api
