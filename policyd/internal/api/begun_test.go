// SPDX-License-Identifier: Apache-2.0

package api

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// begun takes down for whom migrations are begun.
type begun struct {
	mu sync.Mutex
	by map[string]int
}

func (b *begun) note(who string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by == nil {
		b.by = map[string]int{}
	}
	b.by[who] += n
}

func TestWhoMigrationsAreBegunForIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.answering(carryingAll(3))
		b.apply(liveTypes + "match(any) >> {fw} may-leave fw")
		if _, err := b.agents.Ask(t.Context(), leave("mb1", 2)); err != nil {
			t.Fatal(err)
		}
		dry := moveAll("any")
		dry.DryRun = true
		if _, err := b.moves.Start(t.Context(), dry); err != nil {
			t.Fatal(err)
		}
		started, err := b.moves.Start(t.Context(), moveAll("any"))
		if err != nil || started.Begun == 0 {
			t.Fatalf("begun %d, error %v", started.GetBegun(), err)
		}
		b.apply(liveTypes + "match(any) >> {dpi} live-sessions migrate")
		settle()
		want := map[string]int{ForHost: 1, ForOperator: int(started.Begun), ForPolicy: 3}
		b.begun.mu.Lock()
		defer b.begun.mu.Unlock()
		if diff := cmp.Diff(want, b.begun.by); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}
