// SPDX-License-Identifier: Apache-2.0

// Package agent is the agent of one host: it joins the pure machine of package
// subpolicy to the kernel module, to policyd and to the disk.
//
// An [Agent] is not on the packet path, and the module is the truth: whatever
// the agent says of sessions, counters or the policy in force it asks the
// module for at that moment. What it remembers beyond that is which sessions
// it has seen, so that the log has the begin and the end of each, once, even
// if events were lost or the agent was restarted in between.
//
// Two goroutines of [Agent.Run] do the work. One runs the machine: it asks the
// module every [probeInterval] what it runs, takes offers, and performs the
// machine's actions. The other follows the module's events. The methods that
// answer queries may be called by anyone at any time.
package agent
