// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"encoding/hex"
	"testing"

	pb "google.golang.org/protobuf/proto"

	"mbchain/proto"
)

// Agents and policyds of different versions come to the same digest. It is in
// docs/PROTOCOL.md, too.
func TestDigestOfTheExample(t *testing.T) {
	d := New(example(), nil).Digest()
	if got, want := hex.EncodeToString(d[:]), "0dbea05fe2c7356dad321f335f10a9d1c95a4475f2a0eb252471f4206396daed"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestBytesOfAChange(t *testing.T) {
	now := example()
	now.Version = 4
	now.Types = now.Types[1:]
	now.Rules = []*proto.Rule{
		{Number: 1, Predicate: "dstport=9"},
		{Number: 3, Predicate: "dstport=2", Types: []uint32{0}},
		{Number: 5, Predicate: "dstport=4"},
	}
	now.Hosts = append(now.Hosts, "10.0.0.3")
	c := between(New(example(), nil), New(now, nil))
	b, err := pb.MarshalOptions{Deterministic: true}.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(b), "0a200dbea05fe2c7356dad321f335f10a9d1c95a4475f2a0eb252471f4206396daed1220dbfdd7b08bb30237a32123e4"+
		"53a8ae89076e24d28ad04c9011b7762540ccd59d180432060a04080110013a1b0a0220010a06080110021802120d0801"+
		"1209647374706f72743d3942100a0410022001120831302e302e302e33"; got != want {
		t.Errorf("change %s, want %s", got, want)
	}
}
