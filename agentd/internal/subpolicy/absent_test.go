// SPDX-License-Identifier: Apache-2.0

package subpolicy

import (
	"errors"
	"testing"
)

func TestOfferThatTheModuleCannotTakeNow(t *testing.T) {
	play(t, []script{{
		name: "a refused offer is tried on the next module",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(5, "odd")), want: "load version=5 keys=1"},
			{event: badRule, want: "nack 1/1 version=4: bad rule", problem: "bad rule"},
			{event: gone, problem: "no module"},
			{event: empty, want: "load version=5 keys=1", problem: "bad rule"},
			{event: Loaded{}, want: "save version=5; ack 1/1 version=5"},
		},
	}, {
		name: "an offer without a module is refused, and loaded when it comes",
		steps: []step{
			{event: gone, problem: "no module"},
			{event: offer(1, sub(4, "any")), want: "nack 1/1 version=0: no module", problem: "no module"},
			{event: gone, problem: "no module"},
			{event: empty, want: "load version=4 keys=1", problem: "no module"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "an offer comes before the module was seen",
		steps: []step{
			{
				event:   offer(1, sub(4, "any")),
				want:    "nack 1/1 version=0: the kernel module was not asked yet",
				problem: "the kernel module was not asked yet",
			},
		},
	}, {
		name: "a deferred offer is tried again, and refused once for each reason",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: busy, want: "nack 1/1 version=0: busy", problem: "busy"},
			{event: empty, want: "load version=4 keys=1", problem: "busy"},
			{event: busy, problem: "busy"},
			{event: empty, want: "load version=4 keys=1", problem: "busy"},
			{event: Deferred{errors.New("full")}, want: "nack 1/1 version=0: full", problem: "full"},
			{event: empty, want: "load version=4 keys=1", problem: "full"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		name: "the module goes while it loads",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: gone, want: "nack 1/1 version=0: no module", problem: "no module"},
			{event: empty, want: "load version=4 keys=1", problem: "no module"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
		},
	}, {
		// The nack once named the version that the module had run before.
		name: "a module that goes while it loads runs nothing any more",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(5, "any")), want: "load version=5 keys=1"},
			{event: gone, want: "nack 1/1 version=0: no module", problem: "no module"},
		},
	}, {
		name: "an offer during a load, and both lose the module",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: offer(2, sub(5, "any"))},
			{
				event:   gone,
				want:    "nack 1/1 version=0: no module; nack 1/2 version=0: no module",
				problem: "no module",
			},
			{event: empty, want: "load version=5 keys=1", problem: "no module"},
		},
	}, {
		// policyd took the host for one that runs the policy until the agent
		// or the policy changed.
		name: "a module that goes takes its acknowledgement back until it runs the offer again",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
			{event: gone, want: "nack 1/1 version=0: no module", problem: "no module"},
			{event: gone, problem: "no module"},
			{event: empty, want: "load version=4 keys=1", problem: "no module"},
			{event: Loaded{}, want: "ack 1/1 version=4"},
			{event: gone, want: "nack 1/1 version=0: no module", problem: "no module"},
			{event: running(sub(4)), want: "ack 1/1 version=4"},
		},
	}, {
		// policyd was not told when the new module refused what the old one ran.
		name: "a module that is loaded anew between two probes may refuse the offer",
		steps: []step{
			{event: empty},
			{event: offer(1, sub(4, "any")), want: "load version=4 keys=1"},
			{event: Loaded{}, want: "save version=4; ack 1/1 version=4"},
			{event: empty, want: "load version=4 keys=1"},
			{event: badRule, want: "nack 1/1 version=0: bad rule; load version=4 keys=1", problem: "bad rule"},
			{event: badRule, problem: "bad rule"},
			{event: empty, problem: "bad rule"},
		},
	}, {
		name: "version 0 is not what a module runs",
		good: sub(4, "any"),
		steps: []step{
			{event: running(sub(4))},
			{event: offer(1, sub(0)), want: "ack 1/1 version=4"},
			{event: gone, problem: "no module"},
			{event: empty, want: "load version=4 keys=1"},
			{event: Loaded{}},
		},
	}})
}
