// SPDX-License-Identifier: Apache-2.0

// Package load measures how busy the host's processors are, and those of the network
// function's processes, from /proc.
//
// A [Meter] is for one goroutine at a time. The package imports nothing of ours.
package load
