// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCountsAreAddedUpByFunction(t *testing.T) {
	s, err := readSymbols(strings.NewReader(`ffffffff81000000 T ip_rcv
ffffffff81000040 t ip_output
ffffffff81000044 d no_function
ffffffffc0000000 t hook_in	[mbchain]
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := readCounts(strings.NewReader(`stop 7
ffffffff81000000 4 10
ffffffff8100003f 1 2
ffffffff81000044 3 1
ffffffffc0000010 5 2
ffffffffc0010000 6 1
stop 0
`), s)
	if err != nil {
		t.Fatal(err)
	}
	want := []costs{
		{"(user space)": 7, "ip_rcv": 42, "ip_output": 3, "hook_in *": 10, "(no name: BPF programs)": 6},
		{"(user space)": 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
