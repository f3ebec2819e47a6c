// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"bytes"
	"sort"

	pb "google.golang.org/protobuf/proto"

	"mbchain/proto"
)

// Between returns the change that makes to out of from; nil if to itself is no
// larger. The change shares elements with to and must not be changed.
func Between(from, to *Whole) *proto.SubpolicyChange {
	// A change cannot say that there is no seed any more.
	if len(to.sub.GetSeed()) == 0 && len(from.sub.GetSeed()) > 0 {
		return nil
	}
	if c := between(from, to); pb.Size(c) < pb.Size(to.sub) {
		return c
	}
	return nil
}

// between returns the change, however large it is.
func between(from, to *Whole) *proto.SubpolicyChange {
	old, now := from.sub, to.sub
	c := &proto.SubpolicyChange{Base: from.digest[:], Digest: to.digest[:], Version: now.GetVersion()}
	if !bytes.Equal(old.GetSeed(), now.GetSeed()) {
		c.Seed = now.GetSeed()
	}
	if from.sums.keys != to.sums.keys {
		c.Keys = &proto.SetupKeys{Keys: now.GetKeys()}
	}
	if from.sums.types != to.sums.types {
		c.Types = &proto.NFTypes{}
		c.Types.Runs, c.Types.Added = runs(old.GetTypes(), now.GetTypes(), typeKey, noNumber)
	}
	_, moved := from.places(now.GetTypes())
	if from.sums.rules != to.sums.rules || moved {
		c.Rules = &proto.Rules{}
		c.Rules.Runs, c.Rules.Added = rules(old, now)
	}
	if from.sums.hosts != to.sums.hosts {
		c.Hosts = &proto.HostAddresses{}
		c.Hosts.Runs, c.Hosts.Added = runs(old.GetHosts(), now.GetHosts(), textKey, noNumber)
	}
	if from.sums.guards != to.sums.guards {
		c.Guards = &proto.Guards{}
		c.Guards.Runs, c.Guards.Added = runs(old.GetGuards(), now.GetGuards(), guardKey, (*proto.Guard).GetNumber)
	}
	return c
}

// rules returns what makes the new rules out of the old ones.
func rules(old, now *proto.Subpolicy) ([]*proto.Run, []*proto.Rule) {
	// Types are compared by name, for a rule that stays follows them. One whose types
	// do not tell by name is like no other.
	key := func(types []*proto.NFType, side byte) func(*proto.Rule) string {
		names := map[string]int{}
		for _, t := range types {
			names[t.GetName()]++
		}
		return func(r *proto.Rule) string {
			b := appendTerms(nil, r)
			b = appendFlag(b, r.GetNumber() == 0)
			for _, t := range r.GetTypes() {
				if int(t) >= len(types) || names[types[t].GetName()] != 1 {
					b = append(b, side)
					continue
				}
				b = appendText(b, types[t].GetName())
			}
			return string(b)
		}
	}
	return runsOf(old.GetRules(), now.GetRules(), key(old.GetTypes(), 'o'), key(now.GetTypes(), 'n'), (*proto.Rule).GetNumber)
}

func textKey(text string) string     { return text }
func noNumber[T any](T) uint32       { return 0 }
func typeKey(t *proto.NFType) string { return string(appendType(nil, t)) }
func guardKey(g *proto.Guard) string { // its number shifts, but 0 stays
	return string(appendGuard(nil, &proto.Guard{
		Number: min(g.GetNumber(), 1), Predicate: g.GetPredicate(), Required: g.GetRequired(),
	}))
}

// runs returns the pieces of which a new list is made, and what is new in it.
func runs[T any](old, now []T, key func(T) string, number func(T) uint32) ([]*proto.Run, []T) {
	return runsOf(old, now, key, key, number)
}

func runsOf[T any](old, now []T, oldKey, newKey func(T) string, number func(T) uint32) ([]*proto.Run, []T) {
	stays := common(keysOf(old, oldKey), keysOf(now, newKey))
	var list []*proto.Run
	var added []T
	for i := 0; i < len(now); {
		r := &proto.Run{}
		if stays[i] >= 0 {
			r.From = uint32(stays[i])
			r.Shift = int64(number(now[i])) - int64(number(old[stays[i]]))
			for i < len(now) && stays[i] == int(r.From+r.Count) && follows(number(old[stays[i]]), number(now[i]), r.Shift) {
				r.Count++
				i++
			}
		}
		for i < len(now) && stays[i] < 0 {
			added = append(added, now[i])
			r.Added++
			i++
		}
		list = append(list, r)
	}
	return list, added
}

// follows says whether a number becomes the other by a shift. 0 stays what it is.
func follows(old, now uint32, shift int64) bool {
	return old == 0 && now == 0 || int64(now)-int64(old) == shift
}

func keysOf[T any](list []T, key func(T) string) []string {
	keys := make([]string, len(list))
	for i, item := range list {
		keys[i] = key(item)
	}
	return keys
}

// common returns, for each element of b, which element of a it is, or -1: as many as
// can be, in the order of both. Where elements are there several times it may find
// fewer. It takes n log n steps.
func common(a, b []string) []int {
	stays := make([]int, len(b))
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		stays[head] = head
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
		stays[len(b)-tail] = len(a) - tail
	}
	at := make(map[string][]int, len(a)-head-tail)
	for i := head; i < len(a)-tail; i++ {
		at[a[i]] = append(at[a[i]], i)
	}
	middle := stays[head : len(b)-tail]
	for i := range middle {
		middle[i] = -1
		if places := at[b[head+i]]; len(places) > 0 {
			middle[i], at[b[head+i]] = places[0], places[1:]
		}
	}
	keepRising(middle)
	return stays
}

// keepRising leaves of a list a longest rising sequence, and -1 where it leaves
// nothing; -1 is no element of it.
func keepRising(list []int) {
	var ends []int                   // place of the least last element, by length
	before := make([]int, len(list)) // place of the element before it
	for i, v := range list {
		if v < 0 {
			continue
		}
		n := sort.Search(len(ends), func(k int) bool { return list[ends[k]] >= v })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	keep := map[int]bool{}
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			keep[i] = true
		}
	}
	for i := range list {
		if !keep[i] {
			list[i] = -1
		}
	}
}
