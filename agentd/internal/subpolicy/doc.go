// SPDX-License-Identifier: Apache-2.0

// Package subpolicy decides which subpolicy a host's kernel module should run.
//
// Three parties have a say: policyd, which offers subpolicies; the disk, which
// holds the last good one, that is, the last one that the module accepted; and
// the module itself, which is the truth about what is in force. A [Machine]
// takes events from them and returns the actions to perform: load, save,
// acknowledge. Its rules:
//
//   - What policyd offers wins, whatever its version: policyd may have been
//     set up anew. An offer that the module already runs is not loaded again.
//   - What the module refuses is not tried again on the same module, and the
//     old subpolicy stays. Set-up keys come into force even when the rules
//     beside them are refused: the other hosts sign with them.
//   - The last good subpolicy is loaded when the module has none, or an older
//     one of the same policyd, which its seed tells.
//   - An offer of version 0 says that policyd holds no policy yet. It brings
//     keys and leaves the rules that are in force alone.
//   - A module that is absent or busy is asked again at every probe.
//   - What policyd was told of its newest offer stays true: a module that goes
//     away takes the acknowledgement back, and its return gives it again.
//
// The package is pure: no I/O, clock, logger or randomness. A Machine is not
// safe for concurrent use.
package subpolicy
