// SPDX-License-Identifier: Apache-2.0

package sockdiag

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// Message types, of <linux/sock_diag.h>.
const (
	byFamily netlink.HeaderType = 20 // SOCK_DIAG_BY_FAMILY
	destroy  netlink.HeaderType = 21 // SOCK_DESTROY
)

// Sizes of <linux/inet_diag.h>, in bytes.
const (
	sockIDLen  = 48            // struct inet_diag_sockid
	requestLen = 8 + sockIDLen // struct inet_diag_req_v2
	messageLen = 4 + sockIDLen + 20
)

// sockID is struct inet_diag_sockid, as the kernel writes it: ports and addresses of
// a socket, its device, and a cookie that no other socket has.
type sockID [sockIDLen]byte

// idOf names the socket of a five-tuple, its own end first, whatever its cookie is.
func idOf(t chain.FiveTuple) (id sockID) {
	binary.BigEndian.PutUint16(id[0:], t.Source.Port())
	binary.BigEndian.PutUint16(id[2:], t.Destination.Port())
	copy(id[4:20], t.Source.Addr().AsSlice())
	copy(id[20:36], t.Destination.Addr().AsSlice())
	for i := 40; i < sockIDLen; i++ {
		id[i] = 0xff // INET_DIAG_NOCOOKIE
	}
	return id
}

// sameEnds reports whether two ids have the same ports and addresses.
func sameEnds(a, b sockID) bool { return [36]byte(a[:36]) == [36]byte(b[:36]) }

func family(t chain.FiveTuple) byte {
	if t.Source.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// request makes a struct inet_diag_req_v2 for a socket of the tuple's family.
func request(t chain.FiveTuple, kind netlink.HeaderType, id sockID) netlink.Message {
	data := make([]byte, requestLen)
	data[0], data[1] = family(t), unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(data[4:], ^uint32(0)) // in whatever state
	copy(data[8:], id[:])
	flags := netlink.Request
	if kind == destroy {
		flags |= netlink.Acknowledge
	}
	return netlink.Message{Header: netlink.Header{Type: kind, Flags: flags}, Data: data}
}

// socket is what the kernel says of one.
type socket struct {
	state byte // of <net/tcp_states.h>
	id    sockID
}

// parse reads a struct inet_diag_msg.
func parse(data []byte) (socket, error) {
	if len(data) < messageLen {
		return socket{}, fmt.Errorf("read socket: %d bytes, want %d", len(data), messageLen)
	}
	return socket{state: data[1], id: sockID(data[4:])}, nil
}

// States in which a socket is the end of a connection that can be reset.
const (
	established = 1
	finWait1    = 4
	finWait2    = 5
	closeWait   = 8
)

func (s socket) connected() bool {
	switch s.state {
	case established, finWait1, finWait2, closeWait:
		return true
	}
	return false
}

// plain is an address without what makes one of IPv4 one of IPv6.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
