// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"testing"

	pb "google.golang.org/protobuf/proto"

	"mbchain/proto"
)

// Whatever bytes come as a change of whatever subpolicy: what comes of it has the
// digest that it names, or it is refused for a reason, and the subpolicy is as before.
// The digest of the base is put right first, or next to nothing would get past it.
func FuzzApply(f *testing.F) {
	marshal := func(m pb.Message) []byte {
		b, err := pb.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	now := example()
	now.Rules, now.Hosts, now.Version = now.Rules[1:], now.Hosts[:1], 4
	f.Add(marshal(example()), marshal(between(New(example(), nil), New(now, nil))), true)
	f.Add(marshal(now), marshal(between(New(now, nil), New(example(), nil))), true)
	f.Add(marshal(now), marshal(between(New(example(), nil), New(now, nil))), false)
	f.Add([]byte{}, []byte{}, true)
	f.Fuzz(func(t *testing.T, subpolicy, change []byte, based bool) {
		sub, c := new(proto.Subpolicy), new(proto.SubpolicyChange)
		if pb.Unmarshal(subpolicy, sub) != nil || pb.Unmarshal(change, c) != nil {
			return
		}
		before := pb.CloneOf(sub)
		w := New(sub, nil)
		if d := w.Digest(); based {
			c.Base = d[:]
		}
		got, err := w.Apply(c)
		switch {
		case err != nil && (Reason(err) == "" || got != nil):
			t.Errorf("%v, and %v without a reason", got, err)
		case err == nil && string(c.GetDigest()) != string(got.digest[:]):
			t.Error("another digest than it names")
		case err == nil && New(pb.CloneOf(got.Subpolicy()), nil).Digest() != got.digest:
			t.Error("what comes of it has not its digest")
		}
		if !pb.Equal(before, sub) {
			t.Error("the subpolicy was changed")
		}
	})
}
