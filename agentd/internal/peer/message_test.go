// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	pb "google.golang.org/protobuf/proto"

	"mbchain/agentd/internal/session"
	"mbchain/chain"
	"mbchain/proto"
)

var equateAddrs = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

func tuple(s string) chain.FiveTuple {
	t, err := chain.ParseFiveTuple(s)
	if err != nil {
		panic(err)
	}
	return t
}

func syn() session.Syn {
	return session.Syn{
		ID: chain.SessionID{
			0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
		},
		Super:  tuple("10.0.0.1:40000 > 10.0.0.4:53 udp"),
		Wire:   tuple("10.0.0.1:50001 > 10.0.0.2:50002 udp"),
		Hops:   []netip.Addr{netip.MustParseAddr("10.0.0.4")},
		Within: 2900 * time.Millisecond,
	}
}

func syn6() session.Syn {
	s := syn()
	s.Super = tuple("[fd00::1]:40000 > [fd00::4]:443 tcp")
	s.Wire = tuple("[fd00::1]:50001 > [fd00::2]:50002 tcp")
	s.Hops = nil
	for i := range session.MaxRight {
		s.Hops = append(s.Hops, netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(i + 3)}))
	}
	return s
}

// The golden bytes are those of docs/PROTOCOL.md.
var golden = []struct {
	name    string
	message session.Message
	bytes   string
}{
	{
		"syn", syn(), "0061 0801 125d" +
			"0a10 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf" +
			"121c 0a0831302e302e302e31 120831302e302e302e34 18c0b802 2035 2811" +
			"1a1e 0a0831302e302e302e31 120831302e302e302e32 18d18603 20d28603 2811" +
			"220831302e302e302e34" +
			"28d416",
	},
	{"syn_ack", session.SynAck{}, "0004 0801 1a00"},
	{"syn_ack, known", session.SynAck{Known: true}, "0006 0801 1a02 0801"},
	{"ack", session.Ack{}, "0004 0801 2200"},
	{
		"reject", session.Reject{Reason: "table_full", Host: "mb2", Address: netip.MustParseAddr("10.0.0.3")},
		"001f 0801 2a1b 0a0a7461626c655f66756c6c 12036d6232 1a0831302e302e302e33",
	},
	{"reject without an address", session.Reject{Reason: "busy", Host: "mb2"}, "000f 0801 2a0b 0a0462757379 12036d6232"},
}

func goldenBytes(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMessagesAreTheGoldenBytes(t *testing.T) {
	for _, test := range golden {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := writeMessage(&b, test.message); err != nil {
				t.Fatal(err)
			}
			want := goldenBytes(t, test.bytes)
			if diff := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(b.Bytes())); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
			b.WriteString("more")
			got, err := readMessage(&b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.message, got, equateAddrs); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if b.String() != "more" {
				t.Errorf("left over %q", b.String())
			}
		})
	}
}

func TestLongestMessageFits(t *testing.T) {
	var b bytes.Buffer
	if err := writeMessage(&b, syn6()); err != nil {
		t.Fatal(err)
	}
	if b.Len() > maxMessage/4 {
		t.Errorf("%d bytes", b.Len())
	}
	got, err := readMessage(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(session.Message(syn6()), got, equateAddrs); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestReadMessageRefuses(t *testing.T) {
	message := func(m *proto.PeerMessage) []byte {
		b, err := pb.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...)
	}
	changed := func(change func(*proto.SetupSyn)) []byte {
		m, err := encode(syn())
		if err != nil {
			t.Fatal(err)
		}
		change(m.GetSyn())
		return message(m)
	}
	reject := func(r *proto.SetupReject) []byte {
		return message(&proto.PeerMessage{Version: 1, Body: &proto.PeerMessage_Reject{Reject: r}})
	}
	tests := []struct {
		name  string
		bytes []byte
		want  error
	}{
		{"nothing", nil, io.EOF},
		{"half a length", []byte{0}, io.ErrUnexpectedEOF},
		{"length alone", []byte{0, 4}, io.ErrUnexpectedEOF},
		{"cut short", goldenBytes(t, golden[0].bytes)[:50], io.ErrUnexpectedEOF},
		{"empty", []byte{0, 0}, ErrMalformed},
		{"too long", append([]byte{0x10, 0x01}, make([]byte, 4097)...), ErrMalformed},
		{"not protobuf", []byte{0, 2, 0xff, 0xff}, ErrMalformed},
		{"no version", message(&proto.PeerMessage{Body: &proto.PeerMessage_Ack{}}), ErrMalformed},
		{"later version", message(&proto.PeerMessage{Version: 2, Body: &proto.PeerMessage_Ack{}}), ErrMalformed},
		{"no body", message(&proto.PeerMessage{Version: 1}), ErrMalformed},
		{"short id", changed(func(s *proto.SetupSyn) { s.Id = s.Id[:15] }), ErrMalformed},
		{"id of zeros", changed(func(s *proto.SetupSyn) { s.Id = make([]byte, 16) }), ErrMalformed},
		{"no supersession", changed(func(s *proto.SetupSyn) { s.Super = nil }), ErrMalformed},
		{"no subsession", changed(func(s *proto.SetupSyn) { s.Wire = nil }), ErrMalformed},
		{"name instead of an address", changed(func(s *proto.SetupSyn) { s.Wire.Source = "client" }), ErrMalformed},
		{"port 65536", changed(func(s *proto.SetupSyn) { s.Wire.SourcePort = 65536 }), ErrMalformed},
		{"port 0", changed(func(s *proto.SetupSyn) { s.Super.DestinationPort = 0 }), ErrMalformed},
		{"protocol 273", changed(func(s *proto.SetupSyn) { s.Super.Protocol = 273 }), ErrMalformed},
		{"no time", changed(func(s *proto.SetupSyn) { s.WithinMs = 0 }), ErrMalformed},
		{"too much time", changed(func(s *proto.SetupSyn) { s.WithinMs = 60001 }), ErrMalformed},
		{"too many hops", changed(func(s *proto.SetupSyn) { s.Hops = slices.Repeat(s.Hops, 16) }), ErrMalformed},
		{"hop with a zone", changed(func(s *proto.SetupSyn) { s.Hops[0] = "fe80::1%eth0" }), ErrMalformed},
		{"hop of another family", changed(func(s *proto.SetupSyn) { s.Hops[0] = "fd00::4" }), ErrMalformed},
		{"no reason", reject(&proto.SetupReject{Host: "mb1"}), ErrMalformed},
		{"reason to fool readers of logs", reject(&proto.SetupReject{Reason: "ok\n", Host: "mb1"}), ErrMalformed},
		{"no host", reject(&proto.SetupReject{Reason: "busy"}), ErrMalformed},
		{"no address", reject(&proto.SetupReject{Reason: "busy", Host: "mb1", Address: "here"}), ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if m, err := readMessage(bytes.NewReader(test.bytes)); !errors.Is(err, test.want) {
				t.Errorf("read: %v, %v, want %v", m, err, test.want)
			}
		})
	}
}

// FuzzReadMessage reads what no agent would write. What is taken can be written
// and reads the same.
func FuzzReadMessage(f *testing.F) {
	for _, g := range golden {
		f.Add(goldenBytes(f, g.bytes))
	}
	var long bytes.Buffer
	if err := writeMessage(&long, syn6()); err != nil {
		f.Fatal(err)
	}
	f.Add(long.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readMessage(bytes.NewReader(b))
		if err != nil {
			return
		}
		if s, ok := m.(session.Syn); ok && s.Check() != nil {
			t.Fatalf("%v was taken: %v", s, s.Check())
		}
		var again bytes.Buffer
		if err := writeMessage(&again, m); err != nil {
			t.Fatalf("write %v: %v", m, err)
		}
		got, err := readMessage(&again)
		if err != nil {
			t.Fatalf("read %v again: %v", m, err)
		}
		if diff := cmp.Diff(m, got, equateAddrs); diff != "" {
			t.Fatalf("message (-first +second):\n%s", diff)
		}
	})
}
