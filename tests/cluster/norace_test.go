// SPDX-License-Identifier: Apache-2.0

//go:build !race

package cluster

// raced: the race detector watches, and all of this program takes several times as long.
const raced = false
