// SPDX-License-Identifier: Apache-2.0

// Package self is who this policy server is: it has the CA, and issues its own
// certificate, anew before the old one ends.
//
// The CA's key is in the state, and so on every voter's disk; this package keeps a
// copy in a file of the data directory. A voter that was off for long needs a
// certificate before it can hear of the state again, and an operator who lost the
// state keeps the domain by that file.
//
// A voter that has not heard of the state yet shows the certificate that it joined
// with.
//
// The package imports identity. A Self may be used by several goroutines.
package self
