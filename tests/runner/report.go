// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"
)

// count returns how many tests had an outcome.
func (r *runner) count(o outcome) int {
	n := 0
	for _, res := range r.results {
		if res.outcome == o {
			n += res.count
		}
	}
	return n
}

func (r *runner) failed() bool {
	return r.count(failed) > 0
}

func (r *runner) showFailure(res result) {
	fmt.Fprintf(r.out, "   FAIL  %s\n", res.name)
	for _, line := range res.output {
		fmt.Fprintf(r.out, "         | %s\n", line)
	}
	fmt.Fprintf(r.out, "         log: build/test/%s.log\n", res.tier)
	if res.rerun != "" {
		fmt.Fprintf(r.out, "         rerun: %s\n", res.rerun)
	}
}

// summaryLines is how much of what a failure said the summary repeats, for readers who
// see the end alone.
const summaryLines = 12

// report prints the summary and says whether the run is a success.
func (r *runner) report() bool {
	fmt.Fprintln(r.out, "== summary")
	for _, t := range r.times {
		var n [3]int
		for _, res := range r.results {
			if res.tier == t.tier {
				n[res.outcome] += res.count
			}
		}
		fmt.Fprintf(r.out, "   %-8s %5d passed %4d failed %4d skipped  %s\n",
			t.tier, n[passed], n[failed], n[skipped], short(t.took))
	}
	for _, res := range r.results {
		if res.outcome == failed {
			fmt.Fprintf(r.out, "   FAIL  %s: %s\n", res.tier, res.name)
			for _, line := range res.output[max(0, len(res.output)-summaryLines):] {
				fmt.Fprintf(r.out, "         | %s\n", line)
			}
		}
	}
	fmt.Fprintf(r.out, "%d passed, %d failed\n", r.count(passed), r.count(failed))
	return r.count(failed) == 0 && r.count(passed) > 0
}

// short prints a duration as a person wants to read it.
func short(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
