// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newTestRunner(t *testing.T) (*runner, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	r, err := newRunner(t.TempDir(), &out)
	if err != nil {
		t.Fatal(err)
	}
	return r, &out
}

func steps(list ...step) func(context.Context, *runner) {
	return func(ctx context.Context, r *runner) { r.runSteps(ctx, list) }
}

func TestLastLineIsTheSum(t *testing.T) {
	tests := []struct {
		name  string
		tiers []tier
		want  string
		ok    bool
	}{
		{"all pass", []tier{{name: "a", run: steps(step{name: "x", command: "true"})}}, "1 passed, 0 failed", true},
		{"none at all", nil, "0 passed, 0 failed", false},
		{"one fails, the rest runs", []tier{
			{name: "a", run: steps(step{name: "x", command: "false"})},
			{name: "b", run: steps(step{name: "y", command: "true"})},
		}, "1 passed, 1 failed", false},
		{"one that the rest needs fails", []tier{
			{name: "a", needed: true, run: steps(step{name: "x", command: "false"})},
			{name: "b", run: steps(step{name: "y", command: "true"})},
		}, "0 passed, 1 failed", false},
		{"output of a silent step", []tier{
			{name: "a", run: steps(step{name: "x", command: "echo a.go", silent: true})},
		}, "0 passed, 1 failed", false},
		// On a new machine Go says there which modules it downloads.
		{"standard error of a silent step", []tier{
			{name: "a", run: steps(step{name: "x", command: "echo downloading >&2", silent: true})},
		}, "1 passed, 0 failed", true},
		{"summed", []tier{{name: "a", run: func(ctx context.Context, r *runner) {
			r.runSummed(ctx, "echo 3 passed, 2 failed; false")
		}}}, "3 passed, 2 failed", false},
		{"summed without a sum", []tier{{name: "a", run: func(ctx context.Context, r *runner) {
			r.runSummed(ctx, "echo 3 passed")
		}}}, "0 passed, 1 failed", false},
		{"summed that fails for another reason", []tier{{name: "a", run: func(ctx context.Context, r *runner) {
			r.runSummed(ctx, "echo 3 passed, 0 failed; false")
		}}}, "3 passed, 1 failed", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, out := newTestRunner(t)
			r.runTiers(t.Context(), tt.tiers)
			if got := r.report(); got != tt.ok {
				t.Errorf("report() = %v, want %v", got, tt.ok)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if diff := cmp.Diff(tt.want, lines[len(lines)-1]); diff != "" {
				t.Errorf("last line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInterruptEndsTheCommandAndCounts(t *testing.T) {
	r, _ := newTestRunner(t)
	ctx, cancel := context.WithCancel(t.Context())
	tiers := []tier{{name: "a", run: func(ctx context.Context, r *runner) {
		cancel()
		r.runSteps(ctx, []step{{name: "x", command: "sleep 1000"}})
	}}, {name: "b", run: steps(step{name: "y", command: "true"})}}
	r.runTiers(ctx, tiers)
	if got := r.count(failed); got != 2 {
		t.Errorf("failed = %d, want 2: the command and the tier that did not run", got)
	}
}

func TestTailKeepsTheLastLines(t *testing.T) {
	var got tail
	for i := range 3 * tailLines {
		fmt.Fprintf(&got, "line %d\n", i)
	}
	fmt.Fprint(&got, "no end")
	lines := got.lines()
	want := []string{fmt.Sprintf("line %d", 3*tailLines-1), "no end"}
	if diff := cmp.Diff(want, lines[len(lines)-2:]); diff != "" {
		t.Errorf("last lines (-want +got):\n%s", diff)
	}
	if len(lines) != tailLines+1 {
		t.Errorf("kept %d lines, want %d", len(lines), tailLines+1)
	}
}

func TestTiersAreChosenByName(t *testing.T) {
	chosen, err := chooseTiers("kcore,lint")
	if err != nil || len(chosen) != 2 || chosen[0].name != "kcore" || chosen[1].name != "lint" {
		t.Errorf("chooseTiers = %v, %v, want kcore and lint", chosen, err)
	}
	if all, err := chooseTiers("all"); err != nil || len(all) != len(allTiers()) {
		t.Errorf("chooseTiers(all) = %v, %v, want all", all, err)
	}
	if _, err := chooseTiers("vm"); err == nil {
		t.Error("chooseTiers(vm): want an error")
	}
	for _, name := range []string{"fuzz", "vm-debug"} {
		is := func(t tier) bool { return t.name == name }
		if all, err := chooseTiers(""); err != nil || len(all) == 0 || slices.ContainsFunc(all, is) {
			t.Errorf("chooseTiers() = %v, %v, want tiers, but not %s", all, err, name)
		}
		if named, err := chooseTiers(name); err != nil || !slices.ContainsFunc(named, is) {
			t.Errorf("chooseTiers(%s) = %v, %v, want it", name, named, err)
		}
	}
}

func TestTimesOfRoundsAddUp(t *testing.T) {
	r, out := newTestRunner(t)
	for _, took := range []time.Duration{time.Second, time.Minute} {
		r.spend("a", took)
	}
	r.report()
	if want := "1m01s"; strings.Count(out.String(), "   a ") != 1 || !strings.Contains(out.String(), want) {
		t.Errorf("want one line of a tier, with %s:\n%s", want, out)
	}
}

func TestSummedCommandIsShownWhileItRuns(t *testing.T) {
	r, out := newTestRunner(t)
	var seen string
	r.runTiers(t.Context(), []tier{{name: "a", run: func(ctx context.Context, r *runner) {
		show := &said{to: out}
		for _, part := range []string{"fuzz ", "a: 5\nfuzz b: 6\n", "2 passed, 0 failed\n"} {
			_, _ = show.Write([]byte(part))
			seen += fmt.Sprint(strings.Count(out.String(), "|"))
		}
		out.Reset()
		r.runSummed(ctx, "echo fuzz a: 5; echo 1 passed, 0 failed")
	}}})
	if want := "012"; seen != want {
		t.Errorf("lines shown after each part: %s, want %s", seen, want)
	}
	if !strings.HasPrefix(out.String(), "         | fuzz a: 5\n   ok    1 checks") {
		t.Errorf("shown:\n%s", out)
	}
}

func TestShortDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1240 * time.Millisecond: "1.2s",
		59 * time.Second:        "59.0s",
		61 * time.Second:        "1m01s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
}

func FuzzReadSum(f *testing.F) {
	f.Add("3 passed, 0 failed")
	f.Add("99999999999999999999 passed, 0 failed")
	f.Fuzz(func(t *testing.T, line string) {
		nPassed, nFailed, ok := readSum([]string{line})
		if ok && line != fmt.Sprintf("%d passed, %d failed", nPassed, nFailed) && !strings.HasPrefix(line, "0") &&
			!strings.Contains(line, " 0") {
			t.Errorf("readSum(%q) = %d, %d", line, nPassed, nFailed)
		}
	})
}

func TestGuestWhoseClockJumpedRunsAgain(t *testing.T) {
	// Fails the first time, with the status given; passes from then on.
	const guest = `if [ ! -e ran ]; then touch ran; status=%d action=fail; fi
echo '{"Action":"run","Package":"p","Test":"TestA"}'
echo '{"Action":"'${action:-pass}'","Package":"p","Test":"TestA"}'
exit ${status:-0}`
	tests := []struct {
		name   string
		status int
		want   string
	}{
		{"clock jumped", clockJumped, "1 passed, 0 failed"},
		{"test failed", 1, "0 passed, 1 failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, out := newTestRunner(t)
			r.runTiers(t.Context(), []tier{{name: "a", run: func(ctx context.Context, r *runner) {
				r.runInGuest(ctx, goTests{
					command: fmt.Sprintf(guest, tt.status),
					rerun:   func(string, string) string { return "" },
				})
			}}})
			r.report()
			if !strings.HasSuffix(out.String(), "\n"+tt.want+"\n") {
				t.Errorf("last line is not %q:\n%s", tt.want, out)
			}
		})
	}
}
