// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"mbchain/proto"
)

// anySubpolicy draws one out of few names, so that two of them have much in common.
// No two types have one name: policies are like that.
func anySubpolicy(t *rapid.T) *proto.Subpolicy {
	number := rapid.Uint32Range(1, 60)
	s := &proto.Subpolicy{
		Version: rapid.Uint64Range(0, 5).Draw(t, "version"),
		Seed:    []byte(rapid.SampledFrom([]string{"seed", "other"}).Draw(t, "seed")),
		Hosts:   rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}), 0, 12).Draw(t, "hosts"),
	}
	for _, id := range rapid.SliceOfN(rapid.Uint32Range(1, 3), 0, 2).Draw(t, "keys") {
		s.Keys = append(s.Keys, &proto.SetupKey{Id: id, Secret: []byte("secret")})
	}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"fw", "ids", "nat", "tap"}), 0, 4, rapid.ID).Draw(t, "types") {
		s.Types = append(s.Types, &proto.NFType{Name: name, Choice: proto.Choice(rapid.IntRange(0, 2).Draw(t, "choice")),
			Instances: []*proto.Instance{{Address: "10.0.0.1", Weight: rapid.Uint32Range(1, 2).Draw(t, "weight")}}})
	}
	at := uint32(0)
	for range rapid.IntRange(0, 20).Draw(t, "rules") {
		at += number.Draw(t, "step")
		r := &proto.Rule{
			Number: at, Predicate: fmt.Sprintf("dstport=%d", rapid.IntRange(1, 8).Draw(t, "port")),
			BypassOnFailure: rapid.Bool().Draw(t, "bypass"), SetUp: proto.SetUpWay(rapid.IntRange(0, 2).Draw(t, "set-up")),
		}
		for range rapid.IntRange(0, min(2, len(s.Types))).Draw(t, "chain") {
			r.Types = append(r.Types, uint32(rapid.IntRange(0, len(s.Types)-1).Draw(t, "type")))
		}
		s.Rules = append(s.Rules, r)
	}
	for range rapid.IntRange(0, 6).Draw(t, "guards") {
		s.Guards = append(s.Guards, &proto.Guard{
			Number:    rapid.Uint32Range(0, 9).Draw(t, "number"),
			Predicate: rapid.SampledFrom([]string{"any", "dstport=1"}).Draw(t, "predicate"), Required: rapid.Bool().Draw(t, "required"),
		})
	}
	return s
}

// The change from one to another makes the other, whichever they are, and leaves the
// one as it was. It is smaller than the other, or there is none.
func TestChangeMakesTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := anySubpolicy(t), anySubpolicy(t)
		before := pb.CloneOf(from)
		a, b := New(from, nil), New(to, nil)
		c := between(a, b)
		got, err := a.Apply(overTheWire(t, c))
		if err != nil {
			t.Fatalf("apply %v: %v", c, err)
		}
		if diff := cmp.Diff(to, got.Subpolicy(), protocmp.Transform()); diff != "" {
			t.Fatalf("what comes of %v (-want +got):\n%s", c, diff)
		}
		if got.Digest() != b.Digest() {
			t.Fatal("the digest is another")
		}
		if diff := cmp.Diff(before, from, protocmp.Transform()); diff != "" {
			t.Fatalf("the one before was changed (-want +got):\n%s", diff)
		}
		if sent := Between(a, b); sent != nil && pb.Size(sent) >= pb.Size(to) {
			t.Fatalf("a change of %d bytes, the whole has %d", pb.Size(sent), pb.Size(to))
		}
	})
}

// Two subpolicies have one digest if they say the same, and not otherwise, however
// much New was told beforehand.
func TestDigestTellsWhatIsSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anySubpolicy(t), anySubpolicy(t)
		one := New(a, nil)
		if again := New(pb.CloneOf(a), one); again.Digest() != one.Digest() {
			t.Fatal("the same comes to two digests")
		}
		b.Rules = a.Rules // shared, so that it is not looked at again
		other := New(b, one)
		if fresh := New(pb.CloneOf(b), nil); fresh.Digest() != other.Digest() {
			t.Fatal("what was shared comes to another digest")
		}
		if same := pb.Equal(a, b); same != (one.Digest() == other.Digest()) {
			t.Fatalf("equal %t, digests %x and %x", same, one.Digest(), other.Digest())
		}
	})
}

// overTheWire returns what comes out at the other end.
func overTheWire(t interface{ Fatal(...any) }, c *proto.SubpolicyChange) *proto.SubpolicyChange {
	b, err := pb.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	got := new(proto.SubpolicyChange)
	if err := pb.Unmarshal(b, got); err != nil {
		t.Fatal(err)
	}
	return got
}
