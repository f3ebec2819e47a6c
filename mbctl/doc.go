// SPDX-License-Identifier: Apache-2.0

// Mbctl is the operator's command: it checks and applies policies, changes
// the chains of live sessions, and shows hosts, sessions and counters. docs/MBCTL.md is its reference.
//
// One file per noun (policy, session, migrate, host, stats, status, watch, doctor, token, member, key, identity); nouns show
// and verbs act. Everything a command touches outside its arguments is in the
// world struct, so that tests run every command in-process against a fake
// policyd and compare what it prints with testdata/*.golden.
//
// Mbctl speaks to policyd, or with --agent to the agent of this host. It
// imports neither policyd, agentd nor genl.
package main
