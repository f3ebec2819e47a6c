// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"mbchain/chain"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mdlayher/genetlink"
)

// Bytes as the module sends them on a little-endian machine.
var (
	goldenInfo = join(
		[]byte{10, 0, 2, 0, '0', '.', '1', '.', '0', 0, 0, 0},
		[]byte{8, 0, 3, 0, 5, 0, 0, 0},
		[]byte{8, 0, 4, 0, 0, 2, 0, 0},
		[]byte{4, 0, 1, 0}, // padding
		[]byte{12, 0, 5, 0, 7, 0, 0, 0, 1, 0, 0, 0},
		[]byte{8, 0, 6, 0, 9, 0, 0, 0},
		[]byte{8, 0, 7, 0, 1, 0, 0, 0},
		[]byte{8, 0, 7, 0, 2, 0, 0, 0},
		[]byte{84, 0, 8, 0x80},
		[]byte{8, 0, 1, 0, 0, 0, 16, 0},
		[]byte{8, 0, 2, 0, 0xe8, 3, 0, 0},
		[]byte{8, 0, 3, 0, 2, 0, 0, 0},
		[]byte{8, 0, 4, 0, 3, 0, 0, 0},
		[]byte{8, 0, 5, 0, 30, 0, 0, 0},
		[]byte{6, 0, 6, 0, 0, 4, 0, 0},
		[]byte{6, 0, 7, 0, 255, 255, 0, 0},
		[]byte{8, 0, 8, 0, 4, 0, 0, 0},
		[]byte{8, 0, 9, 0, 5, 0, 0, 0},
		[]byte{8, 0, 10, 0, 6, 0, 0, 0},
	)
	goldenTuple = join(
		[]byte{8, 0, 1, 0, 10, 0, 0, 1},
		[]byte{8, 0, 2, 0, 10, 0, 0, 4},
		[]byte{6, 0, 3, 0, 0x9c, 0x40, 0, 0},
		[]byte{6, 0, 4, 0, 0, 80, 0, 0},
		[]byte{5, 0, 5, 0, 6, 0, 0, 0},
	)
	goldenSide = join(
		[]byte{44, 0, 2, 0x80}, goldenTuple,
		[]byte{12, 0, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0},
		[]byte{12, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0},
		[]byte{12, 0, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0},
		[]byte{12, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0},
	)
	goldenID     = []byte{20, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	goldenMiddle = join(
		goldenID,
		[]byte{5, 0, 3, 0, 2, 0, 0, 0},
		[]byte{5, 0, 4, 0, 2, 0, 0, 0},
		[]byte{44, 0, 5, 0x80}, goldenTuple,
		[]byte{96, 0, 6, 0x80}, goldenSide,
		[]byte{96, 0, 7, 0x80}, goldenSide,
		[]byte{12, 0, 10, 0, 10, 0, 0, 3, 10, 0, 0, 4},
		[]byte{12, 0, 11, 0, 0xdc, 5, 0, 0, 0, 0, 0, 0},
		[]byte{12, 0, 12, 0, 3, 0, 0, 0, 0, 0, 0, 0},
	)
	goldenWaits = join(goldenMiddle, []byte{5, 0, 15, 0, 2, 0, 0, 0})
	goldenKnown = join(goldenWaits, []byte{4, 0, 16, 0})
	goldenPeer  = join(
		[]byte{8, 0, 2, 0, 10, 0, 0, 2},
		[]byte{4, 0, 1, 0}, // padding
		[]byte{12, 0, 4, 0, 0xdc, 5, 0, 0, 0, 0, 0, 0},
		[]byte{12, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0},
	)
	goldenPeer6 = []byte{20, 0, 3, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}
	goldenEnd   = join(goldenMiddle, []byte{8, 0, 13, 0, 6, 0, 0, 0})

	goldenRule = join(
		[]byte{8, 0, 2, 0, 3, 0, 0, 0},
		[]byte{5, 0, 3, 0, 1, 0, 0, 0},
		[]byte{8, 0, 4, 0, 0, 0, 2, 1},
		[]byte{12, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0},
	)
	goldenPolicy = join(
		[]byte{12, 0, 2, 0, 8, 7, 6, 5, 4, 3, 2, 1},
		[]byte{20, 0, 3, 0, 0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbb},
		[]byte{8, 0, 8, 0, 1, 0, 0, 0},
		[]byte{8, 0, 9, 0, 2, 0, 0, 0},
		[]byte{8, 0, 10, 0, 3, 0, 0, 0},
		[]byte{8, 0, 11, 0, 4, 0, 0, 0},
	)
	goldenStats = join(
		[]byte{36, 0, 1, 0x80},
		[]byte{8, 0, 2, 0, 6, 0, 0, 0},
		[]byte{12, 0, 3, 0, 'e', 'n', 'd', '_', 'f', 'i', 'n', 0},
		[]byte{12, 0, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0},
	)
)

func goldenSession() *Session {
	t, err := chain.ParseFiveTuple("10.0.0.1:40000 > 10.0.0.4:80 tcp")
	if err != nil {
		panic(err)
	}
	side := func() *Subsession {
		return &Subsession{Tuple: t, InPackets: 1, InBytes: 2, OutPackets: 3, OutBytes: 1 << 32}
	}
	return &Session{
		ID:    chain.SessionID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
		Role:  chain.RoleMiddle,
		State: chain.StateEstablished,
		Super: t,
		Left:  side(),
		Right: side(),
		Hops:  []netip.Addr{netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("10.0.0.4")},
		Age:   1500 * time.Millisecond,
		Idle:  3 * time.Millisecond,
	}
}

func TestDecode(t *testing.T) {
	littleEndian(t)
	event := func(cmd uint8) func(b []byte) (any, error) {
		return func(b []byte) (any, error) {
			return decodeEvent(genetlink.Message{Header: genetlink.Header{Command: cmd}, Data: b})
		}
	}
	session := func(b []byte) (any, error) {
		s, end, err := decodeSession(b)
		if end != ReasonNone {
			t.Errorf("session ended with %v", end)
		}
		return s, err
	}
	// What follows what is known changes nothing.
	later := []byte{8, 0, 77, 0, 1, 2, 3, 4}

	tests := []struct {
		name   string
		decode func(b []byte) (any, error)
		bytes  []byte
		want   any
	}{
		{
			name:   "info",
			decode: func(b []byte) (any, error) { return decodeInfo(b) },
			bytes:  join(goldenInfo, later),
			want: &Info{
				ModuleVersion: "0.1.0",
				Sessions:      5,
				SessionBytes:  512,
				PolicyVersion: 1<<32 + 7,
				Rules:         9,
				KeyIDs:        []uint32{1, 2},
				Config: Config{
					MaxSessions:  1 << 20,
					SYNTimeout:   time.Second,
					IdleTimeout:  2 * time.Millisecond,
					CloseTimeout: 3 * time.Millisecond,
					Freshness:    30 * time.Second,
					PortMin:      1024,
					PortMax:      65535,

					UDPTimeout:       4 * time.Millisecond,
					UDPStreamTimeout: 5 * time.Millisecond,
					SetupTimeout:     6 * time.Millisecond,
				},
			},
		},
		{
			name:   "policy",
			decode: func(b []byte) (any, error) { return decodePolicyInfo(b) },
			bytes:  join(goldenPolicy, later),
			want: &PolicyInfo{
				Version: 0x0102030405060708,
				Seed:    [KeyLen]byte{0: 0xaa, 15: 0xbb},
				Types:   1, Rules: 2, Programs: 3, Hosts: 4,
			},
		},
		{
			name:   "rule",
			decode: func(b []byte) (any, error) { return decodeRule(b) },
			bytes:  join(goldenRule, later),
			want: &RuleStatus{
				Rule: Rule{ID: 3, OnFailure: Bypass, Types: []uint16{0, 0x0102}},
				Hits: 1 << 32,
			},
		},
		{
			name:   "session at a middlebox",
			decode: session,
			bytes:  join(goldenMiddle, later),
			want:   goldenSession(),
		},
		{
			name:   "session at its client",
			decode: session,
			bytes: join(goldenID, []byte{5, 0, 3, 0, 1, 0, 0, 0},
				[]byte{8, 0, 8, 0, 7, 0, 0, 0}, []byte{12, 0, 9, 0, 0, 0, 0, 0, 1, 0, 0, 0}),
			want: &Session{
				ID: goldenSession().ID, Role: chain.RoleClient, Rule: 7, PolicyVersion: 1 << 32,
			},
		},
		{
			name:   "age beyond a duration",
			decode: session,
			bytes:  join(goldenID, []byte{12, 0, 11, 0, 255, 255, 255, 255, 255, 255, 255, 255}),
			want: &Session{
				ID:  goldenSession().ID,
				Age: math.MaxInt64 / time.Millisecond * time.Millisecond,
			},
		},
		{
			name:   "session that waits, and stood already",
			decode: session,
			bytes:  goldenKnown,
			want: func() *Session {
				s := goldenSession()
				s.Setup, s.Known = chain.SetupWaiting, true
				return s
			}(),
		},
		{
			name:   "peer",
			decode: func(b []byte) (any, error) { return decodePeer(b) },
			bytes:  join(goldenPeer, later),
			want:   &Peer{Addr: netip.MustParseAddr("10.0.0.2"), Expires: 1500 * time.Millisecond, Sessions: 1 << 32},
		},
		{
			name:   "IPv6 peer",
			decode: func(b []byte) (any, error) { return decodePeer(b) },
			bytes:  goldenPeer6,
			want:   &Peer{Addr: netip.MustParseAddr("fd00::2")},
		},
		{
			name:   "event of a set-up",
			decode: event(18),
			bytes:  goldenWaits,
			want: func() SetupWanted {
				s := goldenSession()
				s.Setup = chain.SetupWaiting
				return SetupWanted{Session: *s}
			}(),
		},
		{
			name:   "stats",
			decode: func(b []byte) (any, error) { return decodeStats(b) },
			bytes:  join(goldenStats, later, goldenStats),
			want: []Counter{
				{Reason: ReasonEndFIN, Name: "end_fin", Value: 1},
				{Reason: ReasonEndFIN, Name: "end_fin", Value: 1},
			},
		},
		{
			name:   "event of a new session",
			decode: event(12),
			bytes:  goldenMiddle,
			want:   SessionNew{Session: *goldenSession()},
		},
		{
			name:   "event of a session's end",
			decode: event(13),
			bytes:  goldenEnd,
			want:   SessionEnd{Session: *goldenSession(), Reason: ReasonEndFIN},
		},
		{
			name:   "event of a policy",
			decode: event(14),
			bytes:  []byte{12, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0},
			want:   PolicyLoaded{Version: 1},
		},
		{
			name:   "unknown event",
			decode: event(200),
			bytes:  goldenMiddle,
			want:   Event(nil),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.decode(tt.bytes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	littleEndian(t)
	tests := []struct {
		name   string
		decode func(b []byte) error
		bytes  []byte
	}{
		{"truncated header", asInfo, []byte{8, 0, 3}},
		{"truncated value", asInfo, []byte{8, 0, 3, 0, 1, 0}},
		{"attribute shorter than its header", asInfo, []byte{3, 0, 3, 0}},
		{"short number", asInfo, []byte{6, 0, 3, 0, 1, 0, 0, 0}},
		{"number wrong in a nest", asInfo, []byte{12, 0, 8, 0x80, 6, 0, 1, 0, 1, 0, 0, 0}},
		{"short seed", asPolicy, []byte{5, 0, 3, 0, 1, 0, 0, 0}},
		{"half a type", asRule, []byte{7, 0, 4, 0, 1, 0, 2, 0}},
		{"too many types", asRule, join([]byte{36, 0, 4, 0}, make([]byte, 32))},
		{"empty session", asSession, nil},
		{"session without id", asSession, []byte{5, 0, 3, 0, 1, 0, 0, 0}},
		{"short id", asSession, []byte{5, 0, 2, 0, 1, 0, 0, 0}},
		{"long id", asSession, join([]byte{24, 0, 2, 0}, make([]byte, 20))},
		{"half a hop", asSession, join(goldenID, []byte{6, 0, 10, 0, 1, 0, 0, 0})},
		{"too many hops", asSession, join(goldenID, []byte{72, 0, 10, 0}, make([]byte, 68))},
		{"tuple without ports", asSession, join(goldenID, []byte{20, 0, 5, 0x80}, goldenTuple[:16])},
		{"empty tuple", asSession, join(goldenID, []byte{4, 0, 5, 0x80})},
		{"short port", asSession, join(goldenID, []byte{12, 0, 5, 0x80, 5, 0, 3, 0, 1, 0, 0, 0})},
		{"short counter of a side", asSession, join(goldenID, []byte{12, 0, 6, 0x80, 8, 0, 3, 0, 1, 0, 0, 0})},
		{"short set-up", asSession, join(goldenID, []byte{4, 0, 15, 0})},
		{"peer without address", asPeer, goldenPeer[8:]},
		{"peer of no family", asPeer, []byte{8, 0, 3, 0, 10, 0, 0, 2}},
		{"short counter", asStats, []byte{12, 0, 1, 0x80, 8, 0, 4, 0, 1, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.decode(tt.bytes); !errors.Is(err, ErrMalformed) {
				t.Errorf("decode: %v, want %v", err, ErrMalformed)
			}
		})
	}
}

func asInfo(b []byte) error    { _, err := decodeInfo(b); return err }
func asPolicy(b []byte) error  { _, err := decodePolicyInfo(b); return err }
func asRule(b []byte) error    { _, err := decodeRule(b); return err }
func asSession(b []byte) error { _, _, err := decodeSession(b); return err }
func asPeer(b []byte) error    { _, err := decodePeer(b); return err }
func asStats(b []byte) error   { _, err := decodeStats(b); return err }

// FuzzDecode feeds every decoder with what no module would send: none may
// panic, and all they complain of is malformed.
func FuzzDecode(f *testing.F) {
	for _, b := range [][]byte{nil, goldenInfo, goldenPolicy, goldenRule, goldenMiddle, goldenEnd, goldenStats, goldenMiddle6, goldenKnown, goldenPeer, goldenPeer6} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, decode := range []func([]byte) error{asInfo, asPolicy, asRule, asSession, asPeer, asStats} {
			if err := decode(b); err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("decode: %v, want %v", err, ErrMalformed)
			}
		}
	})
}
