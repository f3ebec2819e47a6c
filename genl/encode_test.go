// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"mbchain/chain"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
)

// littleEndian skips a test whose bytes are those of such a machine.
func littleEndian(t *testing.T) {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("golden bytes are little-endian")
	}
}

// join puts pieces together, each of which is worth a line of its own.
func join(pieces ...[]byte) []byte { return slices.Concat(pieces...) }

func TestEncode(t *testing.T) {
	littleEndian(t)
	p := &Policy{Version: 0x0102030405060708, Seed: [KeyLen]byte{0: 0xaa, 15: 0xbb}}
	tests := []struct {
		name   string
		encode func() ([]byte, error)
		want   []byte
	}{
		{
			name:   "config, nothing",
			encode: func() ([]byte, error) { return encodeConfig(Config{}) },
			want:   []byte{},
		},
		{
			name: "config, everything",
			encode: func() ([]byte, error) {
				return encodeConfig(Config{
					MaxSessions:  0x01020304,
					SYNTimeout:   time.Second,
					IdleTimeout:  2 * time.Millisecond,
					CloseTimeout: 3 * time.Millisecond,
					Freshness:    time.Minute,
					PortMin:      0x0506,
					PortMax:      0x0708,

					UDPTimeout:       4 * time.Millisecond,
					UDPStreamTimeout: 5 * time.Millisecond,
					SetupTimeout:     6 * time.Millisecond,
					Gateway:          new(true),
				})
			},
			want: join(
				[]byte{8, 0, 1, 0, 4, 3, 2, 1},
				[]byte{8, 0, 2, 0, 0xe8, 3, 0, 0},
				[]byte{8, 0, 3, 0, 2, 0, 0, 0},
				[]byte{8, 0, 4, 0, 3, 0, 0, 0},
				[]byte{8, 0, 8, 0, 4, 0, 0, 0},
				[]byte{8, 0, 9, 0, 5, 0, 0, 0},
				[]byte{8, 0, 10, 0, 6, 0, 0, 0},
				[]byte{8, 0, 5, 0, 60, 0, 0, 0},
				[]byte{6, 0, 6, 0, 6, 5, 0, 0},
				[]byte{6, 0, 7, 0, 8, 7, 0, 0},
				[]byte{5, 0, 11, 0, 1, 0, 0, 0},
			),
		},
		{
			name: "two keys",
			encode: func() ([]byte, error) {
				return encodeKeys([]Key{{ID: 1, Secret: Secret{0: 0x11, 15: 0x22}}, {ID: 2}})
			},
			want: join(
				[]byte{32, 0, 1, 0x80},
				[]byte{8, 0, 1, 0, 1, 0, 0, 0},
				[]byte{20, 0, 2, 0, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x22},
				[]byte{32, 0, 1, 0x80},
				[]byte{8, 0, 1, 0, 2, 0, 0, 0},
				[]byte{20, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
			),
		},
		{
			name:   "session id",
			encode: func() ([]byte, error) { return encodeSessionID(chain.SessionID{0: 1, 15: 16}) },
			want:   []byte{20, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16},
		},
		{
			name:   "begin policy",
			encode: func() ([]byte, error) { return encodeBegin(p) },
			want: join(
				[]byte{12, 0, 2, 0, 8, 7, 6, 5, 4, 3, 2, 1},
				[]byte{20, 0, 3, 0, 0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbb},
			),
		},
		{
			name: "new session at a middlebox",
			encode: func() ([]byte, error) {
				s := goldenSession()
				return encodeSessionRequest(SessionRequest{ID: s.ID, Super: s.Super, Left: s.Left.Tuple, Hops: s.Hops})
			},
			want: join(
				goldenID,
				[]byte{44, 0, 5, 0x80}, goldenTuple,
				[]byte{48, 0, 6, 0x80}, []byte{44, 0, 2, 0x80}, goldenTuple,
				[]byte{12, 0, 10, 0, 10, 0, 0, 3, 10, 0, 0, 4},
			),
		},
		{
			name: "new IPv6 session at its server",
			encode: func() ([]byte, error) {
				s := goldenSession6()
				return encodeSessionRequest(SessionRequest{ID: s.ID, Super: s.Super, Left: s.Left.Tuple})
			},
			want: join(
				goldenID,
				[]byte{68, 0, 5, 0x80}, goldenTuple6,
				[]byte{72, 0, 6, 0x80}, []byte{68, 0, 2, 0x80}, goldenTuple6,
			),
		},
		{
			name: "set-up done",
			encode: func() ([]byte, error) {
				return encodeFinish(goldenSession().ID, chain.SetupDone, ReasonNone)
			},
			want: join(goldenID, []byte{5, 0, 15, 0, 3, 0, 0, 0}),
		},
		{
			name: "set-up failed",
			encode: func() ([]byte, error) {
				return encodeFinish(goldenSession().ID, chain.SetupFailed, ReasonNoAnswer)
			},
			want: join(goldenID, []byte{5, 0, 15, 0, 4, 0, 0, 0}, []byte{8, 0, 13, 0, byte(ReasonNoAnswer), 0, 0, 0}),
		},
		{
			name:   "commit policy",
			encode: func() ([]byte, error) { return encodeCommit(p) },
			want:   []byte{12, 0, 2, 0, 8, 7, 6, 5, 4, 3, 2, 1},
		},
		{
			name: "choice and set-up",
			encode: func() ([]byte, error) {
				adds, err := encodeAdds(&Policy{
					Types: []Type{{Name: "fw", Choice: InTurn}},
					Rules: []Rule{{ID: 3, Setup: SetupOutOfBand, Types: []uint16{0}}},
				})
				return slices.Concat(adds...), err
			},
			want: join(
				[]byte{20, 0, 4, 0x80},
				[]byte{7, 0, 1, 0, 'f', 'w', 0, 0},
				[]byte{5, 0, 3, 0, 2, 0, 0, 0},
				[]byte{36, 0, 5, 0x80},
				[]byte{8, 0, 2, 0, 3, 0, 0, 0},
				[]byte{5, 0, 3, 0, 0, 0, 0, 0},
				[]byte{6, 0, 4, 0, 0, 0, 0, 0},
				[]byte{5, 0, 6, 0, 2, 0, 0, 0},
			),
		},
		{
			name: "guards",
			encode: func() ([]byte, error) {
				adds, err := encodeAdds(&Policy{
					Guards:         []Guard{{ID: 3}, {ID: 4, Required: true}},
					GuardPrograms:  [][]bpf.RawInstruction{{{Op: 6, K: 2}}},
					GuardPrograms6: [][]bpf.RawInstruction{{{Op: 6, K: 1}}},
				})
				return slices.Concat(adds...), err
			},
			want: join(
				[]byte{12, 0, 14, 0x80, 8, 0, 1, 0, 3, 0, 0, 0},
				[]byte{16, 0, 14, 0x80, 8, 0, 1, 0, 4, 0, 0, 0, 4, 0, 2, 0},
				[]byte{12, 0, 15, 0, 6, 0, 0, 0, 2, 0, 0, 0},
				[]byte{12, 0, 16, 0, 6, 0, 0, 0, 1, 0, 0, 0},
			),
		},
		{
			name: "add to policy",
			encode: func() ([]byte, error) {
				adds, err := encodeAdds(&Policy{
					Types: []Type{{Name: "fw", Instances: []Instance{
						{Addr: netip.MustParseAddr("10.0.0.2"), Weight: 0x0102},
					}}},
					Rules: []Rule{
						{ID: 3, OnFailure: Bypass, Types: []uint16{0, 0x0102}},
						{ID: 4},
					},
					Programs: [][]bpf.RawInstruction{{{Op: 0x0102, Jt: 3, Jf: 4, K: 0x05060708}}},
					Hosts:    []netip.Addr{netip.MustParseAddr("10.0.0.9")},
				})
				if len(adds) != 1 {
					t.Errorf("%d messages, want 1", len(adds))
				}
				return slices.Concat(adds...), err
			},
			want: join(
				[]byte{32, 0, 4, 0x80},
				[]byte{7, 0, 1, 0, 'f', 'w', 0, 0},
				[]byte{20, 0, 2, 0x80, 8, 0, 1, 0, 10, 0, 0, 2, 8, 0, 2, 0, 2, 1, 0, 0},
				[]byte{28, 0, 5, 0x80},
				[]byte{8, 0, 2, 0, 3, 0, 0, 0},
				[]byte{5, 0, 3, 0, 1, 0, 0, 0},
				[]byte{8, 0, 4, 0, 0, 0, 2, 1},
				[]byte{24, 0, 5, 0x80},
				[]byte{8, 0, 2, 0, 4, 0, 0, 0},
				[]byte{5, 0, 3, 0, 0, 0, 0, 0},
				[]byte{4, 0, 4, 0},
				[]byte{12, 0, 6, 0, 2, 1, 3, 4, 8, 7, 6, 5},
				[]byte{8, 0, 7, 0, 10, 0, 0, 9},
			),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.encode()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEncodeAddsBoundsMessages(t *testing.T) {
	p := &Policy{Rules: make([]Rule, 10000)}
	for i := range p.Rules {
		p.Rules[i] = Rule{ID: uint32(i), Types: make([]uint16, i%MaxHops)}
	}
	for range 3 {
		p.Programs = append(p.Programs, make([]bpf.RawInstruction, MaxInstructions))
	}
	adds, err := encodeAdds(p)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for i, b := range adds {
		total += len(b)
		if len(b) > maxAdd+4 {
			t.Errorf("message %d has %d bytes, want at most %d", i, len(b), maxAdd+4)
		}
	}
	if most := total/(maxAdd/2) + 1; len(adds) > most {
		t.Errorf("%d messages for %d bytes, want at most %d", len(adds), total, most)
	}
}

func TestEncodeSessionRequestRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*SessionRequest)
		want   error
	}{
		{"no supersession", func(r *SessionRequest) { r.Super = chain.FiveTuple{} }, ErrInvalid},
		{"two families", func(r *SessionRequest) { r.Left.Source = goldenSession6().Super.Source }, ErrInvalid},
		{"hop of another family", func(r *SessionRequest) { r.Hops[1] = netip.MustParseAddr("fd00::4") }, ErrInvalid},
		{"too many hops", func(r *SessionRequest) { r.Hops = make([]netip.Addr, 17) }, ErrTooBig},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := goldenSession()
			r := SessionRequest{ID: s.ID, Super: s.Super, Left: s.Left.Tuple, Hops: s.Hops}
			tt.change(&r)
			if b, err := encodeSessionRequest(r); !errors.Is(err, tt.want) {
				t.Errorf("encodeSessionRequest: % x, %v, want %v", b, err, tt.want)
			}
		})
	}
}

func TestEncodeAddsRefusesWhatDoesNotFit(t *testing.T) {
	long := string(make([]byte, 1<<16))
	instances := make([]Instance, 4000)
	for i := range instances {
		instances[i].Addr = netip.AddrFrom4([4]byte{10, 0, 0, 1})
	}
	tests := []struct {
		name   string
		policy *Policy
		want   error // nil: any
	}{
		{"name", &Policy{Types: []Type{{Name: long}}}, nil},
		{"instances", &Policy{Types: []Type{{Instances: instances}}}, nil},
		{"rule", &Policy{Rules: []Rule{{Types: make([]uint16, 1<<15)}}}, nil},
		{"program", &Policy{Programs: [][]bpf.RawInstruction{make([]bpf.RawInstruction, 4097)}}, ErrTooBig},
		{"mapped address", &Policy{Hosts: []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.1")}}, ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			adds, err := encodeAdds(tt.policy)
			if err == nil {
				t.Fatalf("%d messages, want an error", len(adds))
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("encodeAdds: %v, want %v", err, tt.want)
			}
		})
	}
}
