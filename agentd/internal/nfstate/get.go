// SPDX-License-Identifier: Apache-2.0

package nfstate

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/conntrack"
	"github.com/ti-mo/netfilter"
	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// What of linux/netfilter/nfnetlink_conntrack.h is needed to ask for one entry.
const (
	messageGet = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1 // IPCTNL_MSG_CT_GET

	attrTupleOrig = 1
	attrStatus    = 3
	attrProtoInfo = 4
	attrTimeout   = 7
	attrMark      = 8
	attrLabels    = 22

	attrTupleIP, attrTupleProto           = 1, 2
	attrIPv4Source, attrIPv4Destination   = 1, 2
	attrIPv6Source, attrIPv6Destination   = 3, 4
	attrProtocol, attrSource, attrDestiny = 1, 2, 3

	attrProtoInfoTCP                                = 1
	attrTCPState, attrTCPScaleOrig, attrTCPScaleRpl = 1, 2, 3
	attrTCPFlagsOrig, attrTCPFlagsRpl               = 4, 5
)

// getTime is how long the kernel may take to answer, which it does at once.
const getTime = 2 // seconds

// get returns what connection tracking has of a session. It is not conntrack's Get:
// the kernel marks the one message of its answer as the first of many, and netlink
// waits for the others.
func get(super chain.FiveTuple) (conntrack.Flow, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return conntrack.Flow{}, err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: getTime}); err != nil {
		return conntrack.Flow{}, err
	}
	request, err := encodeGet(super)
	if err != nil {
		return conntrack.Flow{}, err
	}
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return conntrack.Flow{}, err
	}
	answer := make([]byte, 16<<10)
	n, from, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return conntrack.Flow{}, err
	}
	if k, ok := from.(*unix.SockaddrNetlink); !ok || k.Pid != 0 {
		return conntrack.Flow{}, errors.New("an answer that is not the kernel's")
	}
	return decodeGet(answer[:n])
}

func encodeGet(super chain.FiveTuple) ([]byte, error) {
	ae := netfilter.NewAttributeEncoder() // in network byte order
	ae.Nested(attrTupleOrig, func(ae *netlink.AttributeEncoder) error {
		ae.Nested(attrTupleIP, func(ae *netlink.AttributeEncoder) error {
			source, destination := uint16(attrIPv4Source), uint16(attrIPv4Destination)
			if super.Family() == chain.IPv6 {
				source, destination = attrIPv6Source, attrIPv6Destination
			}
			ae.Bytes(source, super.Source.Addr().AsSlice())
			ae.Bytes(destination, super.Destination.Addr().AsSlice())
			return nil
		})
		ae.Nested(attrTupleProto, func(ae *netlink.AttributeEncoder) error {
			ae.Uint8(attrProtocol, super.Protocol)
			ae.Uint16(attrSource, super.Source.Port())
			ae.Uint16(attrDestiny, super.Destination.Port())
			return nil
		})
		return nil
	})
	attrs, err := ae.Encode()
	if err != nil {
		return nil, err
	}
	family := byte(unix.AF_INET)
	if super.Family() == chain.IPv6 {
		family = unix.AF_INET6
	}
	data := append([]byte{family, unix.NFNETLINK_V0, 0, 0}, attrs...)
	return netlink.Message{
		Header: netlink.Header{Type: messageGet, Flags: netlink.Request, Length: uint32(16 + len(data)), Sequence: 1},
		Data:   data,
	}.MarshalBinary()
}

// decodeGet reads an answer: a flow, of which only what is asked for is set, or
// why there is none.
func decodeGet(b []byte) (conntrack.Flow, error) {
	var (
		f conntrack.Flow
		m netlink.Message
	)
	if len(b) < 16 || uint32(len(b)) < binary.NativeEndian.Uint32(b) {
		return f, fmt.Errorf("answer of %d bytes", len(b))
	}
	if err := m.UnmarshalBinary(b[:binary.NativeEndian.Uint32(b)]); err != nil {
		return f, err
	}
	if len(m.Data) < 4 {
		return f, fmt.Errorf("answer of %d bytes", len(b))
	}
	if m.Header.Type == netlink.Error {
		return f, unix.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
	}
	ad, err := netfilter.NewAttributeDecoder(m.Data[4:])
	if err != nil {
		return f, err
	}
	for ad.Next() {
		switch ad.Type() {
		case attrStatus:
			f.Status = conntrack.Status(ad.Uint32())
		case attrTimeout:
			f.Timeout = ad.Uint32()
		case attrMark:
			f.Mark = ad.Uint32()
		case attrLabels:
			f.Labels = ad.Bytes()
		case attrProtoInfo:
			ad.Nested(func(ad *netlink.AttributeDecoder) error {
				for ad.Next() {
					if ad.Type() == attrProtoInfoTCP {
						f.ProtoInfo.TCP = new(conntrack.ProtoInfoTCP)
						ad.Nested(tcpInto(f.ProtoInfo.TCP))
					}
				}
				return nil
			})
		}
	}
	return f, ad.Err()
}

func tcpInto(t *conntrack.ProtoInfoTCP) func(*netlink.AttributeDecoder) error {
	return func(ad *netlink.AttributeDecoder) error {
		for ad.Next() {
			switch ad.Type() {
			case attrTCPState:
				t.State = ad.Uint8()
			case attrTCPScaleOrig:
				t.OriginalWindowScale = ad.Uint8()
			case attrTCPScaleRpl:
				t.ReplyWindowScale = ad.Uint8()
			case attrTCPFlagsOrig:
				t.OriginalFlags = ad.Uint16()
			case attrTCPFlagsRpl:
				t.ReplyFlags = ad.Uint16()
			}
		}
		return nil
	}
}
