// SPDX-License-Identifier: Apache-2.0

// Package api serves LocalService (proto/host.proto) on a unix socket: what
// "mbctl --agent" asks one host, without policyd.
//
// Who may open the socket may ask; its mode is 0660. One process at a time owns
// it, which a lock on a file beside it ensures: a socket that a crash left
// behind is replaced, one that is served is not.
//
// The package imports chain, proto and its services. A
// [Service] may be used by several goroutines, and so must be its Host.
package api
