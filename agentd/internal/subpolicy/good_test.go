// SPDX-License-Identifier: Apache-2.0

package subpolicy

import "testing"

func TestLastGoodSubpolicy(t *testing.T) {
	play(t, []script{{
		name: "nothing anywhere",
		steps: []step{
			{event: gone, problem: "no module"},
			{event: gone, problem: "no module"},
			{event: empty},
			{event: empty},
		},
	}, {
		name: "the last good one is loaded into an empty module",
		good: sub(3, "any"),
		steps: []step{
			{event: empty, want: "load version=3 keys=1"},
			{event: Loaded{}},
			{event: running(sub(3))},
		},
	}, {
		name: "the last good one is loaded over an older one",
		good: sub(3, "any"),
		steps: []step{
			{event: running(sub(2)), want: "load version=3 keys=1"},
			{event: Loaded{}},
		},
	}, {
		name: "a module that runs the same version is left alone",
		good: sub(3, "any"),
		steps: []step{
			{event: running(sub(3))},
		},
	}, {
		name: "a module that is ahead of the disk is left alone",
		good: sub(3, "any"),
		steps: []step{
			{event: running(sub(4))},
		},
	}, {
		name: "a module with the policy of another policyd is left alone",
		good: sub(3, "any"),
		steps: []step{
			{event: running(with(sub(2), newSeed))},
		},
	}, {
		name: "keys are set where there are none",
		good: sub(3, "any"),
		steps: []step{
			{event: Probed{Module{Version: 3, Seed: seed}}, want: "load keys=1"},
			{event: Loaded{}},
			{event: running(sub(3))},
		},
	}, {
		name: "the last good one is not tried twice on a module that refuses it",
		good: sub(3, "any"),
		steps: []step{
			{event: empty, want: "load version=3 keys=1"},
			{event: badRule, problem: "bad rule"},
			{event: empty, problem: "bad rule"},
			{event: gone, problem: "no module"},
			{event: empty, want: "load version=3 keys=1"},
			{event: Loaded{}},
		},
	}, {
		name: "a busy module is asked again",
		good: sub(3, "any"),
		steps: []step{
			{event: empty, want: "load version=3 keys=1"},
			{event: busy, problem: "busy"},
			{event: empty, want: "load version=3 keys=1", problem: "busy"},
			{event: Loaded{}},
		},
	}, {
		name: "the module is loaded anew between two probes",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: empty, want: "load version=4 keys=1"},
			{event: Loaded{}},
		},
	}, {
		name: "answers that nobody asked for",
		good: sub(4, "any"),
		steps: []step{
			{event: Loaded{}, want: "unexpected event: loaded while absent", problem: "the kernel module was not asked yet"},
			{event: running(sub(4))},
			{event: badRule, want: "unexpected event: refused keys_set=true: bad rule while idle"},
			{event: busy, want: "unexpected event: deferred: busy while idle"},
		},
	}})
}
