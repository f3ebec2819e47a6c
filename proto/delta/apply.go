// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"mbchain/proto"
)

// MaxItems is how many elements a list of a subpolicy may have: the module takes no
// more rules and no more hosts.
const MaxItems = 65536

// Apply returns what comes of a change to w. It is refused with an error that
// [Reason] has a word for, and w is never changed; w may be nil, of which nothing is a
// change. What the two have in common they share.
func (w *Whole) Apply(c *proto.SubpolicyChange) (*Whole, error) {
	switch {
	case w == nil:
		return nil, fmt.Errorf("%w: none is there", ErrBase)
	case !bytes.Equal(c.GetBase(), w.digest[:]):
		return nil, fmt.Errorf("%w: of %.8x, here is %.8x", ErrBase, c.GetBase(), w.digest)
	}
	// All bounds before anything is made.
	old := w.sub
	err := checkRuns("types", c.GetTypes().GetRuns(), len(old.GetTypes()), len(c.GetTypes().GetAdded()))
	if err == nil {
		err = checkRuns("rules", c.GetRules().GetRuns(), len(old.GetRules()), len(c.GetRules().GetAdded()))
	}
	if err == nil {
		err = checkRuns("hosts", c.GetHosts().GetRuns(), len(old.GetHosts()), len(c.GetHosts().GetAdded()))
	}
	if err == nil {
		err = checkRuns("guards", c.GetGuards().GetRuns(), len(old.GetGuards()), len(c.GetGuards().GetAdded()))
	}
	if n := len(c.GetKeys().GetKeys()); err == nil && n > MaxItems {
		err = fmt.Errorf("keys: %w: %d, at most %d", ErrSize, n, MaxItems)
	}
	if err != nil {
		return nil, err
	}

	now := &proto.Subpolicy{
		Version: c.GetVersion(), Seed: old.GetSeed(), Keys: old.GetKeys(),
		Types: old.GetTypes(), Rules: old.GetRules(), Hosts: old.GetHosts(), Guards: old.GetGuards(),
	}
	if len(c.GetSeed()) > 0 {
		now.Seed = c.GetSeed()
	}
	if c.Keys != nil {
		now.Keys = c.Keys.GetKeys()
	}
	if c.Types != nil {
		now.Types = build(c.Types.GetRuns(), old.GetTypes(), c.Types.GetAdded(), as[*proto.NFType])
	}
	if c.Hosts != nil {
		now.Hosts = build(c.Hosts.GetRuns(), old.GetHosts(), c.Hosts.GetAdded(), as[string])
	}
	if c.Guards != nil {
		now.Guards = build(c.Guards.GetRuns(), old.GetGuards(), c.Guards.GetAdded(), shiftGuard)
	}
	if err := w.applyRules(now, c); err != nil {
		return nil, err
	}
	result := New(now, w)
	if !bytes.Equal(c.GetDigest(), result.digest[:]) {
		return nil, fmt.Errorf("%w: %.8x, it should be %.8x", ErrDigest, result.digest, c.GetDigest())
	}
	return result, nil
}

// checkRuns says why runs make no list out of old elements before and added new ones.
func checkRuns(list string, runs []*proto.Run, old, added int) error {
	end, used, length := uint64(0), uint64(0), uint64(0)
	for i, r := range runs {
		from, count, more := uint64(r.GetFrom()), uint64(r.GetCount()), uint64(r.GetAdded())
		length += count + more
		used += more
		switch {
		case count+more == 0:
			return fmt.Errorf("%s: %w: run %d is empty", list, ErrRuns, i)
		case count > 0 && from < end:
			return fmt.Errorf("%s: %w: run %d begins at %d, the one before ends at %d", list, ErrRuns, i, from, end)
		case count > 0 && from+count > uint64(old):
			return fmt.Errorf("%s: %w: run %d ends at %d, there are %d", list, ErrRuns, i, from+count, old)
		case length > MaxItems:
			return fmt.Errorf("%s: %w: more than %d", list, ErrSize, MaxItems)
		}
		if count > 0 {
			end = from + count
		}
	}
	if used != uint64(added) {
		return fmt.Errorf("%s: %w: they use %d of %d that are added", list, ErrRuns, used, added)
	}
	return nil
}

// build makes a list by runs that [checkRuns] has nothing against.
func build[T any](runs []*proto.Run, old, added []T, shift func(T, int64) T) []T {
	length := len(added)
	for _, r := range runs {
		length += int(r.GetCount())
	}
	list := make([]T, 0, length)
	for _, r := range runs {
		for _, item := range old[min(int(r.GetFrom()), len(old)):][:r.GetCount()] {
			list = append(list, shift(item, r.GetShift()))
		}
		list = append(list, added[:r.GetAdded()]...)
		added = added[r.GetAdded():]
	}
	return list
}

func as[T any](item T, _ int64) T { return item }

func shiftGuard(g *proto.Guard, by int64) *proto.Guard {
	number := shifted(g.GetNumber(), by)
	if number == g.GetNumber() {
		return g
	}
	return &proto.Guard{Number: number, Predicate: g.GetPredicate(), Required: g.GetRequired()}
}

// shifted returns a number that is moved by so much. 0 says that there is none, and
// what would leave the range becomes it: the digest tells.
func shifted(number uint32, by int64) uint32 {
	if number == 0 || by < -int64(number) || by > math.MaxUint32-int64(number) {
		return 0
	}
	return uint32(int64(number) + by)
}

// applyRules makes the rules of now, whose types are made already.
func (w *Whole) applyRules(now *proto.Subpolicy, c *proto.SubpolicyChange) error {
	if c.Rules == nil {
		return nil
	}
	places, moved := w.places(now.GetTypes())
	gone := false
	shift := func(r *proto.Rule, by int64) *proto.Rule {
		number := shifted(r.GetNumber(), by)
		types := r.GetTypes()
		if moved {
			types = make([]uint32, len(r.GetTypes()))
			for i, t := range r.GetTypes() {
				place := -1
				if int(t) < len(places) {
					place = places[t]
				}
				gone = gone || place < 0
				types[i] = uint32(max(place, 0))
			}
		}
		if number == r.GetNumber() && slices.Equal(types, r.GetTypes()) {
			return r
		}
		return &proto.Rule{
			Number: number, Predicate: r.GetPredicate(), Types: types,
			BypassOnFailure: r.GetBypassOnFailure(), SetUp: r.GetSetUp(),
		}
	}
	for _, r := range c.Rules.GetAdded() {
		for _, t := range r.GetTypes() {
			if int(t) >= len(now.GetTypes()) {
				return fmt.Errorf("%w: rule %d, type %d of %d", ErrType, r.GetNumber(), t, len(now.GetTypes()))
			}
		}
	}
	now.Rules = build(c.Rules.GetRuns(), w.sub.GetRules(), c.Rules.GetAdded(), shift)
	if gone {
		return fmt.Errorf("%w: a rule stays, and its type does not", ErrType)
	}
	return nil
}

// places returns where each type of w stands in a new list, by name, -1 if it does
// not, and whether any has moved.
func (w *Whole) places(types []*proto.NFType) (places []int, moved bool) {
	at := make(map[string]int, len(types))
	for i, t := range types {
		at[t.GetName()] = i
	}
	places = make([]int, len(w.sub.GetTypes()))
	for i, t := range w.sub.GetTypes() {
		place, there := at[t.GetName()]
		if !there {
			place = -1
		}
		places[i] = place
		moved = moved || place != i
	}
	return places, moved
}
