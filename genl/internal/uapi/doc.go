// SPDX-License-Identifier: Apache-2.0

// Package uapi holds the numbers of kmod/uapi/mbchain.h: those that genl sends
// and reads, and genlfake reads and sends. A name here is the header's without
// its prefix, in Go's spelling and with Attr for A: MBC_SESSION_A_ID is
// SessionAttrID. A test of genl compares both files, so that neither can
// change alone. It imports nothing.
package uapi
