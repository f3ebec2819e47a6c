// SPDX-License-Identifier: Apache-2.0

// Policyd keeps the policy of a domain and brings every host its part of it.
//
//	mbctl --- PolicyService, DomainService --> internal/api --> internal/cluster (Raft)
//	                                               |                |
//	agentd -- AgentService ------------------------+           internal/store (state)
//	                                               |                |
//	                                           internal/push <------+
//
// Several policyds are a cluster, one of which leads. What comes to another one
// and is for the leader, internal/api passes on; see docs/ARCHITECTURE.md.
//
// A command goes down the right side: api checks it, cluster has it committed,
// store applies it. The state that comes of it goes to push, which sends it to
// the hosts. internal/self is this policyd's own certificate, internal/rotate decides
// when set-up keys change. Policyd is not on the path of any packet or connection: while it
// is away, sessions are set up by what the hosts have.
package main
