// SPDX-License-Identifier: Apache-2.0

// Package sockdiag ends TCP connections of this host, as "ss --kill" does: the
// kernel is asked for the socket of a five-tuple, and then told to destroy exactly
// that one (NETLINK_SOCK_DIAG, SOCK_DESTROY). The program that has it gets
// ECONNABORTED, the other end a RST.
//
// It needs CAP_NET_ADMIN, and a kernel with CONFIG_INET_DIAG_DESTROY, as Debian's are.
// A socket that is bound to a device is not found.
//
// The package imports chain and no other package of ours. Functions may be called
// concurrently.
package sockdiag
