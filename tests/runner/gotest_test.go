// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// feed gives events to a report as go test would, and returns what came of it.
func feed(t *testing.T, g goTests, events string, err error) (results []result, shown string) {
	t.Helper()
	var out bytes.Buffer
	r := &runner{out: &out, log: io.Discard, tier: "unit"}
	g.command = "go test"
	g.rerun = func(pkg, test string) string { return strings.TrimSpace("rerun " + pkg + " " + test) }
	report := newGoReport(r, g)
	report.read(strings.NewReader(events))
	report.finish(err, []string{"from stderr"})
	return r.results, out.String()
}

// exited returns the error of a command that ended with a status.
func exited(t *testing.T, status string) error {
	t.Helper()
	err := exec.Command("sh", "-c", "exit "+status).Run()
	if err == nil {
		t.Fatalf("sh -c 'exit %s': want an error", status)
	}
	return err
}

func TestGoTestsAreCountedByTopLevelTest(t *testing.T) {
	one, two := exited(t, "1"), exited(t, "125")
	tests := []struct {
		name   string
		g      goTests
		events string
		err    error
		want   []result
	}{
		{
			name: "subtests do not count",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/sub"}
{"Action":"pass","Package":"p","Test":"TestA/sub"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":1}
{"Action":"pass","Package":"p","Elapsed":1}`,
			want: []result{{tier: "unit", name: "TestA", outcome: passed, count: 1}},
		},
		{
			name: "output of a failed subtest belongs to the test",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA/good","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA/good"}
{"Action":"output","Package":"p","Test":"TestA/sub","Output":"want 1, got 2\n"}
{"Action":"fail","Package":"p","Test":"TestA/sub"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			err: one,
			want: []result{{tier: "unit", name: "TestA", outcome: failed, count: 1,
				output: []string{"want 1, got 2"}, rerun: "rerun p TestA"}},
		},
		{
			name: "package that does not compile",
			events: `{"Action":"build-output","ImportPath":"p [p.test]","Output":"a.go:1: bad\n"}
{"Action":"build-fail","ImportPath":"p [p.test]"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			err: one,
			want: []result{{tier: "unit", name: "p", outcome: failed, count: 1,
				output: []string{"a.go:1: bad"}, rerun: "rerun p"}},
		},
		{
			name: "guest that dies during a test",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA/sub","Output":"sending\n"}
{"Action":"fail","Package":"p"}`,
			err: two,
			want: []result{
				{tier: "unit", name: "TestA", outcome: failed, count: 1,
					output: []string{"sending", "it did not end"}, rerun: "rerun p TestA"},
				{tier: "unit", name: "run", outcome: failed, count: 1,
					output: []string{"exit status 125", "from stderr"}, rerun: "go test"},
			},
		},
		{
			name: "guest whose kernel complains though all tests pass",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			err: two,
			want: []result{
				{tier: "unit", name: "TestA", outcome: passed, count: 1},
				{tier: "unit", name: "run", outcome: failed, count: 1,
					output: []string{"exit status 125", "from stderr"}, rerun: "go test"},
			},
		},
		{
			name:   "skip",
			events: `{"Action":"skip","Package":"p","Test":"TestA"}`,
			want:   []result{{tier: "unit", name: "TestA", outcome: skipped, count: 1}},
		},
		{
			name: "skip where all must exist",
			g:    goTests{skipIsError: true},
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"no module\n"}
{"Action":"skip","Package":"p","Test":"TestA"}`,
			want: []result{{tier: "unit", name: "TestA", outcome: failed, count: 1,
				output: []string{"no module"}, rerun: "rerun p TestA"}},
		},
		{
			name:   "nothing ran",
			events: "not of go test\n",
			want: []result{{tier: "unit", name: "run", outcome: failed, count: 1,
				output: []string{"no test ran"}, rerun: "go test"}},
		},
		{
			name: "command that is not there",
			err:  errors.New("no such file"),
			want: []result{{tier: "unit", name: "run", outcome: failed, count: 1,
				output: []string{"no such file", "from stderr"}, rerun: "go test"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := feed(t, tt.g, tt.events, tt.err)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailureShowsOutputLogAndRerun(t *testing.T) {
	_, got := feed(t, goTests{}, `{"Action":"output","Package":"p","Test":"TestA","Output":"bad\n"}
{"Action":"fail","Package":"p","Test":"TestA"}`, exited(t, "1"))
	want := `   FAIL  TestA
         | bad
         log: build/test/unit.log
         rerun: rerun p TestA
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}

func TestLongTestTellsHowFarItIs(t *testing.T) {
	var out bytes.Buffer
	report := newGoReport(&runner{out: &out, log: io.Discard}, goTests{each: true})
	part := event{Action: "pass", Package: "p", Test: "TestA/sub"}
	report.step(event{Action: "run", Package: "p", Test: "TestA"})
	report.step(part)
	report.spoke = report.spoke.Add(-2 * silence)
	report.step(part)
	report.step(part)
	if got, want := out.String(), "   ...   TestA, 2 parts so far\n"; got != want {
		t.Errorf("shown: %q, want %q", got, want)
	}
}

func FuzzGoTests(f *testing.F) {
	f.Add(`{"Action":"run","Package":"p","Test":"TestA"}`)
	f.Add(`{"Action":"fail","Package":"p","FailedBuild":"q"}`)
	f.Add("{\n")
	f.Fuzz(func(t *testing.T, events string) {
		r := &runner{out: io.Discard, log: io.Discard}
		report := newGoReport(r, goTests{rerun: func(string, string) string { return "" }})
		report.read(strings.NewReader(events))
		report.finish(nil, nil)
		if len(r.results) == 0 {
			t.Error("no result: a run without any test must fail")
		}
	})
}
