// SPDX-License-Identifier: Apache-2.0

// Package enroll asks policyd for certificates: [Join] with a token, [Renew] with
// the certificate that one has.
//
// Who joins knows the CA's fingerprint, from the token, and speaks to nobody else:
// the token's secret leaves the host only over TLS with a server that shows that CA
// and a certificate of it for role policyd.
//
// The package imports identity and proto. Its functions may be called by several
// goroutines.
package enroll
