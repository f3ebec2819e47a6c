// SPDX-License-Identifier: Apache-2.0

// Package metrics is what agentd shows to Prometheus, and when it counts as ready.
//
// [Metrics] has what is counted as it happens: set-ups, migrations and
// changes of the policy that were refused. What is read
// at the moment of a scrape comes from [Sources]: the agent's last look at the module,
// which costs nothing, and the module's counters, which are one netlink request. No
// scrape waits for policyd or for another host, and one of a host without its module
// says so and asks nobody.
//
// No label has a value out of a packet, a session or a message of another host.
// docs/OPERATIONS.md has the table of all metrics and says how many series each can
// have; a test compares it with the registry.
package metrics
