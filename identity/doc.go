// SPDX-License-Identifier: Apache-2.0

// Package identity says who is who in a domain: roles, names, the CA and its
// certificates, requests for them, and tokens that admit newcomers.
//
// A [Subject] is a role, a name and an epoch; it stands in a certificate as the
// URI mbchain://ROLE/NAME/EPOCH. A [CA] signs it for who holds the key of a
// [Request]. A [Bundle] is what one shows to others and judges them by: a key, the
// certificate for it, and the CA's. A [Token] is handed over once, out of band; it
// names the CA by its [Fingerprint], so that who joins knows whom to give it to.
//
// What a role may call is in [Allowed].
//
// The package imports the standard library and chain. It is told the time; keys
// and numbers that nobody may guess are drawn by crypto/x509 and crypto/rand. It
// does no I/O: package keep keeps a bundle on disk and fresh, package enroll asks
// policyd for one. Everything here may be used by several goroutines.
package identity
