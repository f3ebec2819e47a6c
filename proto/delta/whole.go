// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"crypto/sha256"
	"encoding/binary"

	"mbchain/proto"
)

// A Digest is SHA-256 of what a subpolicy, or a list in it, says.
type Digest [sha256.Size]byte

// Whole is a subpolicy with its digest.
type Whole struct {
	sub    *proto.Subpolicy
	sums   sums
	digest Digest
}

// sums are the digests of a subpolicy's lists.
type sums struct{ keys, types, rules, hosts, guards Digest }

// New returns sub, which must not be changed any more, with its digest. Lists that
// are the very slices of like's subpolicy are not looked at again; like may be nil.
func New(sub *proto.Subpolicy, like *Whole) *Whole {
	if like == nil {
		like = nothing
	}
	w := &Whole{sub: sub}
	w.sums.keys = sumOf(sub.GetKeys(), appendKey, like.sub.GetKeys(), like.sums.keys)
	w.sums.types = sumOf(sub.GetTypes(), appendType, like.sub.GetTypes(), like.sums.types)
	w.sums.rules = sumOf(sub.GetRules(), appendRule, like.sub.GetRules(), like.sums.rules)
	w.sums.hosts = sumOf(sub.GetHosts(), appendText, like.sub.GetHosts(), like.sums.hosts)
	w.sums.guards = sumOf(sub.GetGuards(), appendGuard, like.sub.GetGuards(), like.sums.guards)
	b := binary.BigEndian.AppendUint64([]byte(digestOf), sub.GetVersion())
	b = appendText(b, string(sub.GetSeed()))
	for _, sum := range []Digest{w.sums.keys, w.sums.types, w.sums.rules, w.sums.hosts, w.sums.guards} {
		b = append(b, sum[:]...)
	}
	w.digest = sha256.Sum256(b)
	return w
}

// digestOf begins what is digested. Another encoding gets another number.
const digestOf = "mbchain subpolicy 1\x00"

// nothing is like no other: no slice is one of its.
var nothing = &Whole{}

// Subpolicy returns the subpolicy, which must not be changed.
func (w *Whole) Subpolicy() *proto.Subpolicy { return w.sub }

// Digest returns its digest.
func (w *Whole) Digest() Digest { return w.digest }

// sumOf returns the digest of a list; that of like is sum.
func sumOf[T any](list []T, write func([]byte, T) []byte, like []T, sum Digest) Digest {
	if len(list) > 0 && identical(list, like) {
		return sum
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(len(list)))
	for _, item := range list {
		b = write(b, item)
	}
	return sha256.Sum256(b)
}

// identical says whether two lists are the very same.
func identical[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// What follows writes elements so that no two different ones come out alike: numbers
// in big endian, texts and lists behind their length.

func appendText(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

func appendFlag(b []byte, flag bool) []byte {
	if flag {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendKey(b []byte, k *proto.SetupKey) []byte {
	return appendText(binary.BigEndian.AppendUint32(b, k.GetId()), string(k.GetSecret()))
}

func appendType(b []byte, t *proto.NFType) []byte {
	b = appendText(b, t.GetName())
	b = binary.BigEndian.AppendUint32(b, uint32(t.GetChoice()))
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.GetInstances())))
	for _, in := range t.GetInstances() {
		b = appendText(appendText(appendText(b, in.GetName()), in.GetAddress()), in.GetAddress6())
		b = binary.BigEndian.AppendUint32(b, in.GetWeight())
	}
	return b
}

func appendRule(b []byte, r *proto.Rule) []byte {
	b = binary.BigEndian.AppendUint32(b, r.GetNumber())
	b = appendTerms(b, r)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.GetTypes())))
	for _, t := range r.GetTypes() {
		b = binary.BigEndian.AppendUint32(b, t)
	}
	return b
}

// appendTerms writes a rule without its number and types.
func appendTerms(b []byte, r *proto.Rule) []byte {
	b = appendFlag(appendText(b, r.GetPredicate()), r.GetBypassOnFailure())
	return binary.BigEndian.AppendUint32(b, uint32(r.GetSetUp()))
}

func appendGuard(b []byte, g *proto.Guard) []byte {
	b = binary.BigEndian.AppendUint32(b, g.GetNumber())
	return appendFlag(appendText(b, g.GetPredicate()), g.GetRequired())
}
