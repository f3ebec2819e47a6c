// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
)

// golden is the record of a subpolicy of version 7 with key 3.
const golden = "6d62636861696e00" + "00000001" + "00000018" +
	"4130185ef0fe7825628fd24001b19de2" + "3ae36f40b559cefeca6734dbe8b7ffad" +
	"0807" + "1a14" + "0803" + "1210" + "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b"

func small() *proto.Subpolicy {
	return &proto.Subpolicy{
		Version: 7,
		Keys:    []*proto.SetupKey{{Id: 3, Secret: []byte("kkkkkkkkkkkkkkkk")}},
	}
}

func TestRecordHasItsGoldenBytes(t *testing.T) {
	record, err := encode(small())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden, hex.EncodeToString(record)); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	good, err := encode(small())
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(at int) []byte {
		record := append([]byte(nil), good...)
		record[at] ^= 1
		return record
	}
	noSubpolicy := func() []byte {
		record, err := encode(&proto.Subpolicy{})
		if err != nil {
			t.Fatal(err)
		}
		return append(record, 0xff)
	}
	tests := []struct {
		name   string
		record []byte
		want   string
	}{
		{"empty", nil, "unreadable record: 0 bytes, a header has 48"},
		{"header cut", good[:47], "unreadable record: 47 bytes, a header has 48"},
		{"another file", damaged(0), "unreadable record: no record of mbchain"},
		{"another format", damaged(11), "unreadable record: format 0, this agentd reads 1"},
		{"payload cut", good[:len(good)-1], "unreadable record: payload of 23 bytes, announced are 24"},
		{"payload too long", noSubpolicy(), "unreadable record: payload of 1 bytes, announced are 0"},
		{"length wrong", damaged(15), "unreadable record: payload of 24 bytes, announced are 25"},
		{"checksum wrong", damaged(16), "unreadable record: checksum is wrong"},
		{"payload wrong", damaged(50), "unreadable record: checksum is wrong"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sub, err := decode(test.record)
			if !errors.Is(err, ErrUnreadable) || sub != nil {
				t.Fatalf("decode: %v, %v, want ErrUnreadable", sub, err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	good, err := encode(small())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:headerLen])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, record []byte) {
		sub, err := decode(record)
		if err != nil {
			if !errors.Is(err, ErrUnreadable) {
				t.Fatalf("decode: %v, want ErrUnreadable", err)
			}
			return
		}
		again, err := encode(sub)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if !pb.Equal(sub, back) {
			t.Errorf("round trip (-want +got):\n%s", cmp.Diff(sub, back, protocmp.Transform()))
		}
	})
}
