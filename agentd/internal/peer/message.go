// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"regexp"
	"time"

	pb "google.golang.org/protobuf/proto"

	"mbchain/agentd/internal/session"
	"mbchain/chain"
	"mbchain/proto"
)

const (
	// messageVersion is the only one there is.
	messageVersion = 1
	// maxMessage is how long a message may be, in bytes: the longest that
	// makes sense, a SYN with 15 IPv6 hops, has a fifth of that.
	maxMessage = 4096
	lengthSize = 2
)

// What a REJECT's words look like: a counter's name, a host's.
var (
	reasonForm = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	hostForm   = regexp.MustCompile(`^[a-z0-9.-]{1,63}$`)
)

// writeMessage writes a message behind its length, at once.
func writeMessage(w io.Writer, m session.Message) error {
	out, err := encode(m)
	if err != nil {
		return err
	}
	b, err := pb.MarshalOptions{Deterministic: true}.MarshalAppend(make([]byte, lengthSize), out)
	if err != nil {
		return err
	}
	if len(b) > lengthSize+maxMessage {
		return fmt.Errorf("message of %d bytes, %d are the limit", len(b)-lengthSize, maxMessage)
	}
	binary.BigEndian.PutUint16(b, uint16(len(b)-lengthSize))
	_, err = w.Write(b)
	return err
}

// readMessage reads one, and nothing of what follows. [io.EOF] when there is
// none, [ErrMalformed] when it is none.
func readMessage(r io.Reader) (session.Message, error) {
	var length [lengthSize]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(length[:])
	if n == 0 || n > maxMessage {
		return nil, fmt.Errorf("%w: length %d", ErrMalformed, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	m, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return m, nil
}

func encode(m session.Message) (*proto.PeerMessage, error) {
	out := &proto.PeerMessage{Version: messageVersion}
	switch m := m.(type) {
	case session.Syn:
		syn := &proto.SetupSyn{
			Id: m.ID[:], Super: tupleOf(m.Super), Wire: tupleOf(m.Wire),
			WithinMs: uint32(min(m.Within.Milliseconds(), math.MaxUint32)),
		}
		for _, h := range m.Hops {
			syn.Hops = append(syn.Hops, h.String())
		}
		out.Body = &proto.PeerMessage_Syn{Syn: syn}
	case session.SynAck:
		out.Body = &proto.PeerMessage_SynAck{SynAck: &proto.SetupSynAck{Known: m.Known}}
	case session.Ack:
		out.Body = &proto.PeerMessage_Ack{Ack: &proto.SetupAck{}}
	case session.Reject:
		r := &proto.SetupReject{Reason: m.Reason, Host: m.Host}
		if m.Address.IsValid() {
			r.Address = m.Address.String()
		}
		out.Body = &proto.PeerMessage_Reject{Reject: r}
	default:
		return nil, fmt.Errorf("no message: %T", m)
	}
	return out, nil
}

func decode(b []byte) (session.Message, error) {
	var in proto.PeerMessage
	if err := pb.Unmarshal(b, &in); err != nil {
		return nil, err
	}
	if in.GetVersion() != messageVersion {
		return nil, fmt.Errorf("version %d instead of %d", in.GetVersion(), messageVersion)
	}
	switch body := in.GetBody().(type) {
	case *proto.PeerMessage_Syn:
		return decodeSyn(body.Syn)
	case *proto.PeerMessage_SynAck:
		return session.SynAck{Known: body.SynAck.GetKnown()}, nil
	case *proto.PeerMessage_Ack:
		return session.Ack{}, nil
	case *proto.PeerMessage_Reject:
		return decodeReject(body.Reject)
	}
	return nil, errors.New("nothing that is known")
}

// decodeSyn returns what [session.Syn.Check] is content with.
func decodeSyn(in *proto.SetupSyn) (session.Message, error) {
	m := session.Syn{Within: time.Duration(in.GetWithinMs()) * time.Millisecond}
	var err error
	if m.ID, err = chain.SessionIDFromBytes(in.GetId()); err != nil {
		return nil, err
	}
	if m.Super, err = fiveTuple(in.GetSuper()); err != nil {
		return nil, fmt.Errorf("supersession: %w", err)
	}
	if m.Wire, err = fiveTuple(in.GetWire()); err != nil {
		return nil, fmt.Errorf("subsession: %w", err)
	}
	if len(in.GetHops()) > session.MaxRight {
		return nil, fmt.Errorf("%d hops, %d are the limit", len(in.GetHops()), session.MaxRight)
	}
	for _, h := range in.GetHops() {
		addr, err := netip.ParseAddr(h)
		if err != nil {
			return nil, fmt.Errorf("hop: %w", err)
		}
		m.Hops = append(m.Hops, addr)
	}
	return m, m.Check()
}

func decodeReject(in *proto.SetupReject) (session.Message, error) {
	m := session.Reject{Reason: in.GetReason(), Host: in.GetHost()}
	if !reasonForm.MatchString(m.Reason) {
		return nil, fmt.Errorf("reason %q is not of a-z, 0-9 and '_'", m.Reason)
	}
	if !hostForm.MatchString(m.Host) {
		return nil, fmt.Errorf("host %q is not of a-z, 0-9, '.' and '-'", m.Host)
	}
	if in.GetAddress() == "" {
		return m, nil
	}
	var err error
	m.Address, err = netip.ParseAddr(in.GetAddress())
	return m, err
}

func tupleOf(t chain.FiveTuple) *proto.Tuple {
	return &proto.Tuple{
		Source: t.Source.Addr().String(), SourcePort: uint32(t.Source.Port()),
		Destination: t.Destination.Addr().String(), DestinationPort: uint32(t.Destination.Port()),
		Protocol: uint32(t.Protocol),
	}
}

func fiveTuple(in *proto.Tuple) (chain.FiveTuple, error) {
	var t chain.FiveTuple
	if in.GetProtocol() > math.MaxUint8 {
		return t, fmt.Errorf("protocol %d", in.GetProtocol())
	}
	t.Protocol = uint8(in.GetProtocol())
	var err error
	if t.Source, err = addrPort(in.GetSource(), in.GetSourcePort()); err != nil {
		return t, err
	}
	t.Destination, err = addrPort(in.GetDestination(), in.GetDestinationPort())
	return t, err
}

func addrPort(text string, port uint32) (netip.AddrPort, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if port > math.MaxUint16 {
		return netip.AddrPort{}, fmt.Errorf("port %d", port)
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}
