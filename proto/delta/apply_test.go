// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	pb "google.golang.org/protobuf/proto"

	"mbchain/proto"
)

func example() *proto.Subpolicy {
	return &proto.Subpolicy{
		Version: 3, Seed: []byte("seedseedseedseed"),
		Keys:  []*proto.SetupKey{{Id: 1, Secret: []byte("kkkkkkkkkkkkkkkk")}},
		Types: []*proto.NFType{{Name: "fw", Instances: []*proto.Instance{{Address: "10.0.0.2", Weight: 1}}}, {Name: "ids"}},
		Rules: []*proto.Rule{
			{Number: 1, Predicate: "dstport=1", Types: []uint32{0}},
			{Number: 2, Predicate: "dstport=2", Types: []uint32{1}},
			{Number: 4, Predicate: "dstport=4"},
		},
		Hosts:  []string{"10.0.0.1", "10.0.0.2"},
		Guards: []*proto.Guard{{Predicate: "any"}, {Number: 1, Predicate: "dstport=1", Required: true}},
	}
}

// What is wrong with a change is said, and nothing comes of it.
func TestHostileChangesAreRefused(t *testing.T) {
	base := New(example(), nil)
	good := func() *proto.SubpolicyChange {
		d := base.Digest()
		return &proto.SubpolicyChange{Base: d[:], Digest: d[:], Version: 3}
	}
	if _, err := base.Apply(good()); err != nil {
		t.Fatalf("a change of nothing: %v", err)
	}
	run := func(runs ...*proto.Run) func(*proto.SubpolicyChange) {
		return func(c *proto.SubpolicyChange) {
			c.Hosts = &proto.HostAddresses{Runs: runs, Added: []string{"10.0.0.3"}}
		}
	}
	for _, tt := range []struct {
		name string
		do   func(*proto.SubpolicyChange)
		want error
	}{
		{"no base", func(c *proto.SubpolicyChange) { c.Base = nil }, ErrBase},
		{"another base", func(c *proto.SubpolicyChange) { c.Base = make([]byte, 32) }, ErrBase},
		{"a longer base", func(c *proto.SubpolicyChange) { c.Base = append(c.Base, 0) }, ErrBase},
		{"no digest", func(c *proto.SubpolicyChange) { c.Digest = nil }, ErrDigest},
		{"another digest", func(c *proto.SubpolicyChange) { c.Digest = make([]byte, 32) }, ErrDigest},
		{"another version", func(c *proto.SubpolicyChange) { c.Version = 4 }, ErrDigest},
		{"another seed", func(c *proto.SubpolicyChange) { c.Seed = []byte("x") }, ErrDigest},
		{"no keys any more", func(c *proto.SubpolicyChange) { c.Keys = &proto.SetupKeys{} }, ErrDigest},
		{"more keys than anybody has", func(c *proto.SubpolicyChange) {
			c.Keys = &proto.SetupKeys{Keys: make([]*proto.SetupKey, MaxItems+1)}
		}, ErrSize},
		{"a run past the end", run(&proto.Run{From: 1, Count: 2, Added: 1}), ErrRuns},
		{"a run far past the end", run(&proto.Run{From: 1<<32 - 1, Count: 1<<32 - 1, Added: 1}), ErrRuns},
		{"the same run twice", run(&proto.Run{Count: 1, Added: 1}, &proto.Run{Count: 1}), ErrRuns},
		{"runs backwards", run(&proto.Run{From: 1, Count: 1, Added: 1}, &proto.Run{Count: 1}), ErrRuns},
		{"an empty run", run(&proto.Run{Added: 1}, &proto.Run{From: 1}), ErrRuns},
		{"more than is added", run(&proto.Run{Added: 2}), ErrRuns},
		{"less than is added", run(&proto.Run{Count: 1}), ErrRuns},
		{"a list without end", run(&proto.Run{Added: 1<<32 - 1}), ErrSize},
		{"many lists without end", run(slices.Repeat([]*proto.Run{{Added: 1<<32 - 1}}, 9)...), ErrSize},
		{"another list", run(&proto.Run{Count: 2, Added: 1}), ErrDigest},
		{"a rule of no type", func(c *proto.SubpolicyChange) {
			c.Rules = &proto.Rules{Runs: []*proto.Run{{Added: 1}}, Added: []*proto.Rule{{Number: 1, Types: []uint32{2}}}}
		}, ErrType},
		{"a rule whose type goes", func(c *proto.SubpolicyChange) {
			c.Types = &proto.NFTypes{Runs: []*proto.Run{{From: 1, Count: 1}}}
			c.Rules = &proto.Rules{Runs: []*proto.Run{{Count: 3}}}
		}, ErrType},
		{"no types, and the same rules", func(c *proto.SubpolicyChange) { c.Types = &proto.NFTypes{} }, ErrDigest},
		{"a number below 0", func(c *proto.SubpolicyChange) {
			c.Guards = &proto.Guards{Runs: []*proto.Run{{Count: 2, Shift: -1 << 63}}}
		}, ErrDigest},
		{"a number above all", func(c *proto.SubpolicyChange) {
			c.Rules = &proto.Rules{Runs: []*proto.Run{{Count: 3, Shift: 1<<63 - 1}}}
		}, ErrDigest},
		{"runs of types", func(c *proto.SubpolicyChange) { c.Types = &proto.NFTypes{Runs: []*proto.Run{{Count: 3}}} }, ErrRuns},
		{"runs of rules", func(c *proto.SubpolicyChange) { c.Rules = &proto.Rules{Runs: []*proto.Run{{Count: 4}}} }, ErrRuns},
		{"runs of guards", func(c *proto.SubpolicyChange) { c.Guards = &proto.Guards{Runs: []*proto.Run{{Count: 3}}} }, ErrRuns},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := good()
			tt.do(c)
			w, err := base.Apply(c)
			if !errors.Is(err, tt.want) || w != nil {
				t.Errorf("%v, error %v, want %v", w, err, tt.want)
			}
			if Reason(err) == "" {
				t.Errorf("no reason for %v", err)
			}
			if !pb.Equal(base.Subpolicy(), example()) {
				t.Error("the subpolicy was changed")
			}
		})
	}
	var none *Whole
	if _, err := none.Apply(good()); !errors.Is(err, ErrBase) {
		t.Errorf("a change of nothing at all: %v", err)
	}
	if got := Reason(errors.New("another")); got != "" {
		t.Errorf("reason %q for an error of others", got)
	}
}

// What is in a change is what differs: a rule more at the top of 10,000 is one rule,
// a host more is one address, though all numbers and indices behind them differ.
func TestChangesAreSmall(t *testing.T) {
	long := func(first, hosts int, types ...string) *Whole {
		s := &proto.Subpolicy{Version: 1, Seed: []byte("seedseedseedseed")}
		index := map[string]uint32{}
		for i, name := range types {
			s.Types = append(s.Types, &proto.NFType{Name: name})
			index[name] = uint32(i)
		}
		for i := first; i < 10000; i++ {
			s.Rules = append(s.Rules, &proto.Rule{
				Number: uint32(i - first + 1), Predicate: fmt.Sprintf("dstport=%d", i), Types: []uint32{index["fw"]},
			})
			s.Guards = append(s.Guards, &proto.Guard{Number: uint32(i - first + 1), Predicate: fmt.Sprintf("dstport=%d", i), Required: true})
		}
		for i := range hosts {
			s.Hosts = append(s.Hosts, fmt.Sprintf("10.0.%d.%d", i/250, i%250))
		}
		return New(s, nil)
	}
	was := long(1, 2000, "fw", "ids")
	for _, tt := range []struct {
		name  string
		now   *Whole
		bytes int
	}{
		{"nothing", was, 70},
		{"a rule at the top", long(0, 2000, "fw", "ids"), 140},
		{"a rule less", long(2, 2000, "fw", "ids"), 110},
		{"a type in front", long(1, 2000, "nat", "fw", "ids"), 110},
		{"a host more", long(1, 2001, "fw", "ids"), 110},
		{"a host less", long(1, 1999, "fw", "ids"), 100},
	} {
		c := Between(was, tt.now)
		if size := pb.Size(c); c == nil || size > tt.bytes {
			t.Errorf("%s: %d bytes, want at most %d", tt.name, size, tt.bytes)
		}
		if got, err := was.Apply(c); err != nil || !pb.Equal(got.Subpolicy(), tt.now.Subpolicy()) {
			t.Errorf("%s: error %v, or another subpolicy", tt.name, err)
		}
	}
}

// A subpolicy that has next to nothing in common with the one before is sent whole.
func TestNoChangeLargerThanTheWhole(t *testing.T) {
	if c := Between(New(example(), nil), New(&proto.Subpolicy{Version: 1, Seed: []byte("another")}, nil)); c != nil {
		t.Errorf("a change %v of a subpolicy of a few bytes", c)
	}
	if c := Between(New(example(), nil), New(&proto.Subpolicy{Version: 3}, nil)); c != nil {
		t.Errorf("a change %v that takes the seed away", c)
	}
}
