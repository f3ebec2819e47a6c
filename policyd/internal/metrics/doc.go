// SPDX-License-Identifier: Apache-2.0

// Package metrics is what policyd shows to Prometheus, and when it counts as ready.
//
// [Metrics] has what is counted as it happens: pushes, acknowledgements, questions,
// migrations begun. What is read at the moment of a scrape comes from [Sources]: this
// node's Raft, the state as far as it is applied here, and the hub. No scrape waits for
// a host or for another node.
//
// No label has a value out of a request, but for the names of hosts, of which a domain
// has a bounded number. docs/OPERATIONS.md has the table of all metrics and says how
// many series each can have; a test compares it with the registry.
package metrics
