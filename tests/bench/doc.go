// SPDX-License-Identifier: Apache-2.0

// Command bench counts instructions per packet: what a host costs with mbchain
// and with everything else that could stand in its place. Start it with
// tests/bench/run.
//
// "bench run" runs as root in a guest that counts instructions (tests/vm/run
// --icount): one instruction is one nanosecond of the guest's clock there, so a
// clock read before and after gives an exact count, whatever else the machine
// does. Three namespaces stand in a row, client - middle - server. Ready packets
// go from a packet socket into a veth, and a traffic control filter drops them
// where they come out of the host that is measured. The same packets dropped as
// they reach it are the cost of sending, which is subtracted: what is left is
// the host and one veth.
//
// A row is something that is measured, see row.go; each says which row it is
// compared to. Kinds of rows: scenario (forwarding, middle.go), endpoint
// (sockets, client.go and server.go), setUp (SYNs, syn.go). Connections are
// opened with packets that a program without sockets reads and answers
// (flows.go), so that 100,000 of them take seconds.
//
// "bench report" sums up what several guests found, as tables for the terminal
// and for docs/BENCHMARKS.md, and as a picture. "bench profile" shows by
// function what a QEMU plugin (count/) counted meanwhile.
//
// Nothing may run while packets are counted that need not: see settle for
// the kernel's part. As for Go, system calls are raw, because the runtime wakes
// another thread for those that it knows of, and garbage is not collected.
package main
