// SPDX-License-Identifier: Apache-2.0

// Package model compares the Promela model of the protocol with the tables of
// the state machines that play it, so that neither changes without the other.
// What checks the model itself is the script run beside it.
package model
