// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/policy"
)

func TestInstancesOfEitherFamily(t *testing.T) {
	four, six := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")
	tests := []struct {
		source string
		want   policy.Instance
		text   string // canonical
	}{
		{"10.0.0.2", policy.Instance{Address: four, Weight: 1}, "10.0.0.2"},
		{"fd00::2", policy.Instance{Address6: six, Weight: 1}, "fd00::2"},
		{"mb1 fd00::2", policy.Instance{Name: "mb1", Address6: six, Weight: 1}, "mb1 fd00::2"},
		{"fd00 fd00::2", policy.Instance{Name: "fd00", Address6: six, Weight: 1}, "fd00 fd00::2"},
		{"mb1 10.0.0.2 fd00::2", policy.Instance{Name: "mb1", Address: four, Address6: six, Weight: 1}, "mb1 10.0.0.2 fd00::2"},
		{"mb1 fd00::2 10.0.0.2", policy.Instance{Name: "mb1", Address: four, Address6: six, Weight: 1}, "mb1 10.0.0.2 fd00::2"},
		{"FD00:0::2\n10.0.0.2\nweight 7", policy.Instance{Address: four, Address6: six, Weight: 7}, "10.0.0.2 fd00::2 weight 7"},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			p := mustParse(t, "type nf { "+tt.source+" }")
			if diff := cmp.Diff([]policy.Instance{tt.want}, p.Types[0].Instances, sameMeaning); diff != "" {
				t.Errorf("instances (-want +got):\n%s", diff)
			}
			if got, want := p.String(), "type nf { "+tt.text+" }\n"; got != want {
				t.Errorf("reads as %s, want %s", got, want)
			}
		})
	}
}
