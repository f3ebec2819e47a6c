// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/genl"
)

func TestWatchHandsEventsOver(t *testing.T) {
	k, module := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan Event)
	ended := make(chan error, 1)
	go func() { ended <- k.Watch(ctx, func(e Event) { events <- e }) }()
	want := func(want Event) {
		t.Helper()
		if diff := cmp.Diff(want, <-events, protocmp.Transform()); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	}
	want(Event{Resync: true})
	s := middle(1)
	module.AddSession(s)
	want(Event{New: wantMiddle(1)})
	module.EndSession(s.ID, genl.ReasonEndFIN)
	want(Event{End: wantMiddle(1), Reason: "end_fin"})
	if err := k.LoadPolicy(t.Context(), sub()); err != nil {
		t.Fatal(err)
	}
	want(Event{Policy: 7})
	module.LoseEvents()
	want(Event{Resync: true})
	module.AddSession(s)
	want(Event{New: wantMiddle(1)})
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("watch: %v, want canceled", err)
	}
}

func TestWatchNeedsAModule(t *testing.T) {
	k, module := start(t)
	module.Unload()
	err := k.Watch(t.Context(), func(Event) { t.Error("an event without a module") })
	if !errors.Is(err, ErrAbsent) {
		t.Errorf("watch: %v, want ErrAbsent", err)
	}
}
