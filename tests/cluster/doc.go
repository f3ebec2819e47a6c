// SPDX-License-Identifier: Apache-2.0

// Package cluster tests policyd as several processes that are killed, cut off
// from each other, run out of disk and lose their logs, while clients change
// the policy and agents follow it. Each test states what comes of it.
//
// What clients saw is a history, which porcupine checks for linearizability: a
// policy is a register with a version, and every acknowledged change of it came
// into force once.
//
// By itself it is a sample of a minute; with MBCHAIN_SOAK=1 leaders are killed
// for five. Tests that need network namespaces or a disk of their own make them
// and need root for it.
package cluster
