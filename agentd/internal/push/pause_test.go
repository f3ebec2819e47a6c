// SPDX-License-Identifier: Apache-2.0

package push

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPauseDoublesVariesAndHasALimit(t *testing.T) {
	tests := []struct {
		name   string
		random float64
		want   []time.Duration
	}{
		{"shortest", 0, []time.Duration{
			125 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
			time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second,
		}},
		{"mean", 0.5, []time.Duration{
			250 * time.Millisecond, 500 * time.Millisecond, time.Second,
			2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := pause{random: func() float64 { return test.random }}
			for range 2 {
				var got []time.Duration
				for range test.want {
					got = append(got, p.take())
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("pauses (-want +got):\n%s", diff)
				}
				p.reset()
			}
		})
	}
}
