// SPDX-License-Identifier: Apache-2.0

package subpolicy

import (
	"testing"

	"mbchain/proto"
)

func TestOffer(t *testing.T) {
	play(t, []script{{
		name: "an offer is loaded, kept and acknowledged",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
			{event: running(sub(4))},
		},
	}, {
		name: "an offer that is in force is not loaded again",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(4, "any")), want: "ack 1/1 version=4"},
		},
	}, {
		name: "an offer of the same version but other content is loaded",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(4, "proto=tcp")), want: "load version=4 keys=1"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "an offer is loaded when the disk knows nothing of what is in force",
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "an offer of a lower version is loaded: policyd was set up anew",
		good: sub(9, "any"),
		steps: []step{
			{event: running(sub(9))},
			{event: offer(1, with(sub(1, "any"), newSeed)), want: "load version=1 keys=1"},
			{event: Loaded{}, want: "save version=1; ack 1/1 version=1"},
			{event: running(with(sub(1), newSeed))},
		},
	}, {
		name: "new keys alone leave the rules alone",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, with(sub(4, "any"), newKey)), want: "load keys=2"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "a key with another secret is a new key",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{
				event: offer(1, with(sub(4, "any"), func(s *proto.Subpolicy) { s.Keys[0].Secret[0] = 'x' })),
				want:  "load keys=1",
			},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "version 0 brings keys alone",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, with(sub(0), newKey)), want: "load keys=2"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
			{event: empty, want: "load version=4 keys=2"},
		},
	}, {
		name: "version 0 on a host that never had a policy",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(0)), want: "load keys=1"},
			{event: Loaded{}, want: "save version=0; ack 1/1 version=0"},
			{event: Probed{Module{KeyIDs: []uint32{1}}}},
			{event: gone, problem: "no module"},
			{event: empty, want: "load keys=1"},
			{event: Loaded{}},
		},
	}, {
		name: "a refused offer is answered once, and the old subpolicy stays",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(5, "odd")), want: "load version=5 keys=1"},
			{event: badRule, want: "nack 1/1 version=4: bad rule", problem: "bad rule"},
			{event: running(sub(4)), problem: "bad rule"},
			{event: offer(2, sub(6, "any")), want: "load version=6 keys=1"},
			{event: Loaded{}, want: "save version=6; ack 1/2 version=6"},
		},
	}, {
		name: "keys come into force though the rules beside them are refused",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, with(sub(5, "odd"), newKey)), want: "load version=5 keys=2"},
			{event: badRule, want: "save version=4; nack 1/1 version=4: bad rule", problem: "bad rule"},
			{event: empty, want: "load version=4 keys=2", problem: "bad rule"},
		},
	}, {
		name: "keys that are refused are not kept",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, with(sub(5, "any"), newKey)), want: "load version=5 keys=2"},
			{event: bad, want: "nack 1/1 version=4: bad keys", problem: "bad keys"},
			{event: empty, want: "load version=4 keys=1", problem: "bad keys"},
			{event: Loaded{}, problem: "bad keys"},
		},
	}, {
		name: "an offer during a load has its turn afterwards",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: offer(2, sub(5, "any"))},
			{event: offer(3, sub(6, "any"))},
			{event: empty},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4; load version=6 keys=1"},
			{event: Loaded{}, want: "save version=6; ack 1/3 version=6"},
		},
	}})
}
