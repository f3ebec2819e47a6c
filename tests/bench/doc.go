// SPDX-License-Identifier: Apache-2.0

// Command bench counts instructions per packet: what a middle host costs with
// mbchain and with everything else that could stand in its place.
//
// "bench run" runs as root in a guest that counts instructions (tests/vm/run
// --icount): one instruction is one nanosecond of the guest's clock there, so
// a clock read before and after gives an exact count. Three namespaces stand in
// a row, client - middle - server. Connections are opened for real; then ready
// frames of 64 bytes, one per connection in turn, go from a packet socket into
// the first veth, and a traffic control filter drops them as they reach the
// server. The same frames dropped as they reach the middle host are the cost of
// sending, which is subtracted: what is left is the middle host and one veth.
//
// "bench report" turns the result into a table, for the terminal and for
// docs/BENCHMARKS.md.
package main
