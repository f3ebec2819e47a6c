// SPDX-License-Identifier: Apache-2.0

package subpolicy

import (
	"bytes"
	"slices"

	pb "google.golang.org/protobuf/proto"

	"mbchain/proto"
)

// lacksOffer returns what the module must load to run an offer.
func (m *Machine) lacksOffer(sub *proto.Subpolicy) (Load, bool) {
	load := Load{Keys: sub.GetKeys()}
	running := m.module.Version == sub.GetVersion() && bytes.Equal(m.module.Seed, sub.GetSeed())
	// A host that joins changes the subpolicy and not its version: what is
	// in force is known only while it is the last good one.
	if sub.GetVersion() != 0 && !(running && same(withKeys(m.good, nil), withKeys(sub, nil))) {
		load.Policy = sub
	}
	keysInForce := slices.Equal(m.module.KeyIDs, keyIDs(sub.GetKeys())) &&
		same(onlyKeys(m.good), onlyKeys(sub))
	return load, load.Policy != nil || !keysInForce
}

// lacksGood returns what the module must load of the last good subpolicy. The
// module may be ahead of it, and is then left alone.
func (m *Machine) lacksGood() (Load, bool) {
	load := Load{Keys: m.good.GetKeys()}
	older := m.module.Version < m.good.GetVersion()
	related := m.module.Version == 0 || bytes.Equal(m.module.Seed, m.good.GetSeed())
	if older && related {
		load.Policy = m.good
	}
	keysMissing := len(m.module.KeyIDs) == 0 && len(m.good.GetKeys()) != 0
	return load, load.Policy != nil || keysMissing
}

// withKeys returns a copy of sub with other keys. A nil sub has no rules.
func withKeys(sub *proto.Subpolicy, keys []*proto.SetupKey) *proto.Subpolicy {
	clone := &proto.Subpolicy{}
	if sub != nil {
		clone = pb.CloneOf(sub)
	}
	clone.Keys = keys
	return clone
}

func onlyKeys(sub *proto.Subpolicy) *proto.Subpolicy {
	return &proto.Subpolicy{Keys: sub.GetKeys()}
}

// same says whether two subpolicies say the same; nil says nothing.
func same(a, b *proto.Subpolicy) bool {
	if a == nil || b == nil {
		return a == b
	}
	return pb.Equal(a, b)
}

func keyIDs(keys []*proto.SetupKey) []uint32 {
	ids := make([]uint32, 0, len(keys))
	for _, key := range keys {
		ids = append(ids, key.GetId())
	}
	return ids
}
