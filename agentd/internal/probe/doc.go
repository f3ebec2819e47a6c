// SPDX-License-Identifier: Apache-2.0

// Package probe runs a program of the operator's, again and again, that finds out whether
// the network function does its work: it sends something through it, or asks it.
//
// A probe fails if the program fails twice in a row; it passes as soon as the program
// does once. A [Prober]'s Result may be asked from any goroutine; Run runs once. The
// package imports nothing of ours.
package probe
