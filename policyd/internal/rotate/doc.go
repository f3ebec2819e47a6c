// SPDX-License-Identifier: Apache-2.0

// Package rotate replaces the set-up keys of the data plane, and no session is
// refused meanwhile.
//
// Hosts verify set-up headers by every key that they have, and sign with the first
// one. So a new key goes to all hosts in second place (spreading); once all have it,
// it goes to the first place and hosts sign with it (retiring), each when the push
// reaches it; once all do, and headers that were signed before are old, the old key
// is dropped (idle). At no moment does a host sign with a key that another one has
// not, whatever order the pushes come in.
//
// Where a rotation stands is seen in the state alone, so it goes on with whoever
// leads. A host that cannot be reached is waited for [AbsentFor], one that is
// connected for ever: better an old key than refused sessions.
//
// A host that was revoked has the keys, so its end is the beginning of a rotation.
//
// The package is pure; it imports identity and store.
package rotate
