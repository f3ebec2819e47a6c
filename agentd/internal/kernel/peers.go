// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"slices"

	"mbchain/genl"
	"mbchain/proto"
)

// Peers returns the neighbours to which SYNs with payload do not pass, in the
// order of their addresses.
func (k *Kernel) Peers(ctx context.Context) ([]*proto.Peer, error) {
	client, err := k.dialled()
	if err != nil {
		return nil, err
	}
	peers, err := client.Peers(ctx)
	if err != nil {
		return nil, classified(err)
	}
	slices.SortFunc(peers, func(a, b genl.Peer) int { return a.Addr.Compare(b.Addr) })
	out := make([]*proto.Peer, 0, len(peers))
	for _, p := range peers {
		out = append(out, &proto.Peer{
			Address: p.Addr.String(), ExpiresMs: uint64(p.Expires.Milliseconds()), Sessions: p.Sessions,
		})
	}
	return out, nil
}
