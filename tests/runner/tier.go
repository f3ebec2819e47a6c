// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// A tier is one kind of test.
type tier struct {
	name  string
	about string
	// needed says that the tiers after it make no sense when it fails.
	needed bool
	run    func(context.Context, *runner)
	// named says that it only runs when it is named, or all are: it takes too long.
	named bool
	// beside says that it runs at the same time as its neighbours that do, too: it
	// keeps about one processor busy.
	beside bool
}

// allTiers returns the tiers in the order in which they run: what is quick to
// fail first.
func allTiers() []tier {
	return []tier{
		{"build", "programs and modules", true, buildTier, false, false},
		{"lint", "format, analysis, licences", false, lintTier, false, false},
		{"unit", "Go packages, with the race detector", false, unitTier, false, false},
		{"kcore", "the module's pure files, with sanitizers", false, kcoreTier, false, false},
		{"model", "the protocol's model, and models that must fail", false, modelTier, false, false},
		{"fuzz", "the module's pure files, with 16 million inputs", false, fuzzTier, true, false},
		{"vm-6.12", "labs in a guest with Linux 6.12", false, guestTier("6.12"), false, true},
		{"vm-6.1", "labs in a guest with Linux 6.1", false, guestTier("6.1"), false, true},
		{"vm-debug", "labs in a guest with the debug kernel", false, debugTier, true, false},
	}
}

func tierNames() string {
	var names []string
	for _, t := range allTiers() {
		names = append(names, t.name)
	}
	return strings.Join(names, ",")
}

// chooseTiers returns the tiers named in a comma-separated list; for "" all but
// those that must be named, for "all" those too.
func chooseTiers(names string) ([]tier, error) {
	all := allTiers()
	switch names {
	case "":
		return slices.DeleteFunc(all, func(t tier) bool { return t.named }), nil
	case "all":
		return all, nil
	}
	var chosen []tier
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(t tier) bool { return t.name == name })
		if i < 0 {
			return nil, fmt.Errorf("choose tier %q: there are %s", name, tierNames())
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// A step is a command that is a test of its own: it passes when it exits 0, and
// has no findings if silent is set: what it prints on standard output.
type step struct {
	name    string
	command string
	silent  bool
}

func buildTier(ctx context.Context, r *runner) {
	r.runSteps(ctx, []step{
		{"programs", "make build", false},
		{"module for 6.1", "make kmod-6.1", false},
		{"module for 6.12", "make kmod-6.12", false},
		{"module with self-tests for 6.1, sparse", "make kmod-debug-6.1", false},
		{"module with self-tests for 6.12, sparse", "make kmod-debug-6.12", false},
	})
}

func lintTier(ctx context.Context, r *runner) {
	r.runSteps(ctx, []step{
		{"gofmt", "gofmt -l $(go list -f '{{.Dir}}' ./...)", true},
		{"vet", "go vet ./...", false},
		{"staticcheck", "go tool staticcheck ./...", true},
		{"licences", "tests/lint/spdx", false},
		{"shell", "tests/lint/shell", false},
		{"man pages", "tests/lint/man", false},
		{"installation", "tests/lint/install", false},
		{"packages", "tests/lint/deb", false},
	})
}

// alone is a package in which there is one goroutine: the race detector has nothing to
// see in it, and takes a minute more.
const alone = "mbchain/policy"

// longest is the package whose tests take longest. They mostly wait, and begin first.
const longest = "mbchain/tests/cluster"

// The lint tier has vetted all packages.
func unitTier(ctx context.Context, r *runner) {
	// The integration tests need a guest, which is their own tier.
	unitTests(ctx, r, "CGO_ENABLED=1 go test -race -vet=off", longest+" $(go list ./... | grep -vxF -e mbchain/tests/integration -e "+alone+" -e "+longest+")")
	unitTests(ctx, r, "go test -vet=off", alone)
}

func unitTests(ctx context.Context, r *runner, test, packages string) {
	_ = r.runGoTests(ctx, goTests{ // its results tell
		command: test + " -json " + packages,
		rerun: func(pkg, name string) string {
			pkg = "." + strings.TrimPrefix(pkg, "mbchain")
			if name == "" {
				return test + " " + pkg
			}
			return fmt.Sprintf("%s -run '^%s$' %s", test, name, pkg)
		},
	})
}

func kcoreTier(ctx context.Context, r *runner) {
	r.runSummed(ctx, "make -s -C tests/kcore test")
}

func modelTier(ctx context.Context, r *runner) {
	r.runSummed(ctx, "tests/model/run")
}

// fuzzRuns is how many inputs each fuzz target gets.
const fuzzRuns = 2_000_000

func fuzzTier(ctx context.Context, r *runner) {
	r.runSummed(ctx, fmt.Sprintf("make -s -C tests/kcore fuzz FUZZ_RUNS=%d", fuzzRuns))
}

// Tests that measure time run in a guest of their own, which counts
// instructions: its clock does not notice how busy the host is. What they measure
// takes as long with either kernel, so only a soak asks both.
const (
	timed       = "^(TestConnectTime|TestMillionSessions|TestFloodOfForgedSYNs)$"
	timedSample = "^TestConnectTime$" // the others want the machine for themselves
	timedKernel = "6.12"
)

// once is what a sample runs on one kernel alone: daemons, to which a kernel is like
// another, or what takes long. Of the tests that are for each family of IP, a sample
// runs one family on either kernel. A soak runs all of it on both.
var once = map[string]string{
	"6.12": "^Test(SequenceNumbersWrapDuringMigration|HostsAskForChanges|NeighboursLeaveAtOnce|" +
		"AgentsChangeALiveChain|NFsSeeASessionInTurn|NewSessionsTurnAway|DrainEmptiesAnInstance|ExplainTellsTheTruth|" +
		"WrongPolicyChangesNothing|TableFull|RepeatedSYN|NetlinkClient|PauseBounds|AgentSetsNF)$",
	"6.1": "^Test(AgentsSetDatagramsUp|AgentsDieDuringMigrations|MigrationsOnBadLinks|ConnectionEndsDuringMigration|OneCommandEmptiesAMiddlebox|" +
		"BothEndsOfAChainChangeAtOnce|PolicyForLiveSessions|HostsWorkWithoutPolicyd|NewHostDies|" +
		"SetupKeysRotateUnderConnections|DatagramsWithoutAnAgent|MigrationGivenUp|SetUpAsTheRuleSays|UnloadUnderTraffic|" +
		"Transfer|ManySessionsAtOnce|UnloadWithManySessions|Iperf|CraftedSYNsTakeNoMemory)$",
	"": "^Test(ClockJumps|ReportOfDurations|MatrixNotices|DaemonsKilled|ProgramsMoveState|Doctor|DumpsWhileTheTableChangesItsSize|GatewayOfTheLab)$", // a soak alone
}

// share is which family of IP a sample runs on a kernel: see eachFamily.
var share = map[string]int{"6.12": 0, "6.1": 1}

// elsewhere is what a sample leaves to the other kernel, and to soaks.
func elsewhere(kernel string) (skip string) {
	for _, other := range slices.Sorted(maps.Keys(once)) {
		if other != kernel {
			skip += "|" + once[other]
		}
	}
	return skip
}

// debugSlowness is how much longer the debug kernel may take than the others.
const debugSlowness = 5

func guestTier(kernel string) func(context.Context, *runner) {
	return func(ctx context.Context, r *runner) {
		if !compileGuestTests(ctx, r) {
			return
		}
		if r.pattern != "" {
			r.runInGuest(ctx, guestTests(kernel, "", r.limit, fmt.Sprintf("-test.run='%s'", r.pattern)))
			return
		}
		soak := os.Getenv("MBCHAIN_SOAK") == "1"
		skip, mine := timed, ""
		if !soak {
			skip += elsewhere(kernel)
			mine = fmt.Sprintf("MBCHAIN_SHARE=%d ", share[kernel])
		}
		tests := guestTests(kernel, "", r.limit, fmt.Sprintf("-test.skip='%s'", skip))
		tests.command = mine + tests.command
		r.runInGuest(ctx, tests)
		chosen := timedSample
		if soak {
			chosen = timed
		}
		if soak || kernel == timedKernel {
			r.runInGuest(ctx, guestTests(kernel, "--icount", r.limit, fmt.Sprintf("-test.run='%s'", chosen)))
		}
	}
}

// undebugged is what a debug kernel does not run beside what is timed: how long something
// takes says nothing of a kernel that checks every access to memory, and with as little
// data as it moves, chance decides what the matrices notice.
const undebugged = "^(TestReportOfDurations|TestClockJumps|TestDoctor|TestMatrixNotices)$"

// debugTier runs the samples of both kernels, and all labs. The guest has the machine for
// itself: agents give up on each other in seconds, which are short there.
func debugTier(ctx context.Context, r *runner) {
	if !r.runSteps(ctx, []step{{"module for the debug kernel", "make kmod-debug-kernel", false}}) ||
		!compileGuestTests(ctx, r) {
		return
	}
	chosen := fmt.Sprintf("-test.skip='%s|%s'", timed, undebugged)
	if r.pattern != "" {
		chosen = fmt.Sprintf("-test.run='%s'", r.pattern)
	}
	tests := guestTests("debug", "", debugSlowness*r.limit, chosen)
	tests.command = "MBCHAIN_SOAK= " + tests.command
	r.runInGuest(ctx, tests)
}

// integration is the program that runs in guests.
const integration = "build/integration.test"

// compileGuestTests does so for the first tier that needs it; others wait for that.
func compileGuestTests(ctx context.Context, r *runner) bool {
	c := r.compiled
	c.once.Do(func() {
		c.ok = r.runSteps(ctx, []step{{
			"compile", "export CGO_ENABLED=0 && go test -c -o " + integration + " ./tests/integration" +
				" && go test -c -o build/genl.test ./genl" +
				" && go test -c -o build/nfstate.test ./agentd/internal/nfstate", false,
		}})
	})
	return c.ok
}

// guestTests returns the command that runs the chosen tests in a guest. The test
// program gives up a little before the guest is taken down, to say which test it
// was.
func guestTests(kernel, options string, limit time.Duration, chosen string) goTests {
	seconds := int(limit.Seconds())
	return goTests{
		command: fmt.Sprintf("tests/vm/run --kernel %s %s --timeout %d -- %s"+
			" -test.v=test2json -test.timeout=%ds %s | go tool test2json -t -p tests/integration",
			kernel, options, seconds, integration, seconds*9/10, chosen),
		rerun: func(_, test string) string {
			return fmt.Sprintf("go run ./tests/runner --tier vm-%s --run '^%s$'", kernel, test)
		},
		each:        true,
		skipIsError: true,
	}
}

// clockJumped is what tests/vm/run ends with when the time that the guest's
// tests measured is worth nothing.
const clockJumped = 123

// runInGuest runs tests, and once more if the guest's clock made some of them
// fail.
func (r *runner) runInGuest(ctx context.Context, g goTests) {
	before := len(r.results)
	if exitStatus(r.runGoTests(ctx, g)) != clockJumped {
		return
	}
	fmt.Fprintln(r.out, "   the guest's clock ran ahead of this machine's: all of it again")
	r.results = r.results[:before]
	_ = r.runGoTests(ctx, g) // its results tell
}
