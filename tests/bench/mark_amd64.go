// SPDX-License-Identifier: Apache-2.0

package main

// What runs between these two is counted by the plugin in count/, if QEMU has
// loaded it; they do nothing otherwise.
func markStart()
func markStop()
