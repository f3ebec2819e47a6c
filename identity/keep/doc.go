// SPDX-License-Identifier: Apache-2.0

// Package keep keeps an identity: a [Keeper] joins the domain if there is none,
// stores it in one file, and renews it before it ends.
//
// A file holds the private key, the certificate and the CA's, and is replaced whole
// or not at all; nobody else may read it. Each certificate has a key of its own.
//
// The package imports identity. A Keeper may be used by several goroutines; Run
// once.
package keep
