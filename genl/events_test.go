// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"

	"mbchain/genl"
	"mbchain/genl/genlfake"

	"github.com/google/go-cmp/cmp"
)

func subscribe(t *testing.T) (*genlfake.Kernel, *genl.Client, *genl.Events) {
	t.Helper()
	kernel, client := fake(t)
	events, err := client.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = events.Close() })
	return kernel, client, events
}

// receive returns the next n events.
func receive(t *testing.T, events *genl.Events, n int) []genl.Event {
	t.Helper()
	var all []genl.Event
	for len(all) < n {
		some, err := events.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	return all
}

func TestEvents(t *testing.T) {
	kernel, client, events := subscribe(t)
	kernel.AddSession(middle(1))
	kernel.AddSession(clientSession(2))
	kernel.EndSession(middle(1).ID, genl.ReasonEndRST)
	if err := client.DeleteSession(t.Context(), clientSession(2).ID); err != nil {
		t.Fatal(err)
	}
	if err := client.LoadPolicy(t.Context(), policy(1)); err != nil {
		t.Fatal(err)
	}
	want := []genl.Event{
		genl.SessionNew{Session: middle(1)},
		genl.SessionNew{Session: clientSession(2)},
		genl.SessionEnd{Session: middle(1), Reason: genl.ReasonEndRST},
		genl.SessionEnd{Session: clientSession(2), Reason: genl.ReasonEndDeleted},
		genl.PolicyLoaded{Version: 1 << 33},
	}
	if diff := cmp.Diff(want, receive(t, events, len(want)), equateAddrs); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Requests go on while events are waited for.
func TestEventsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, client, events := subscribe(t)
		got := make(chan []genl.Event)
		go func() {
			some, err := events.Receive(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- some
		}()
		synctest.Wait()
		if _, err := client.Stats(t.Context()); err != nil {
			t.Error(err)
		}
		kernel.AddSession(middle(1))
		want := []genl.Event{genl.SessionNew{Session: middle(1)}}
		if diff := cmp.Diff(want, <-got, equateAddrs); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestEventsLost(t *testing.T) {
	kernel, _, events := subscribe(t)
	kernel.AddSession(middle(1))
	kernel.LoseEvents()
	kernel.AddSession(middle(2))
	want := []genl.Event{genl.SessionNew{Session: middle(1)}}
	if diff := cmp.Diff(want, receive(t, events, 1), equateAddrs); diff != "" {
		t.Errorf("events before the loss (-want +got):\n%s", diff)
	}
	if _, err := events.Receive(t.Context()); !errors.Is(err, genl.ErrEventsLost) {
		t.Errorf("Receive: %v, want %v", err, genl.ErrEventsLost)
	}
	want = []genl.Event{genl.SessionNew{Session: middle(2)}}
	if diff := cmp.Diff(want, receive(t, events, 1), equateAddrs); diff != "" {
		t.Errorf("events after the loss (-want +got):\n%s", diff)
	}
}

func TestReceiveEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel, _, events := subscribe(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := events.Receive(ctx)
			ended <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Receive: %v, want %v", err, context.Canceled)
		}
		if _, err := events.Receive(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Receive again: %v, want %v", err, context.Canceled)
		}
		kernel.AddSession(middle(1))
		receive(t, events, 1)
	})
}

func TestReceiveEndsWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, events := subscribe(t)
		ended := make(chan error)
		go func() {
			_, err := events.Receive(t.Context())
			ended <- err
		}()
		synctest.Wait()
		if err := events.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Errorf("Receive: %v, want %v", err, os.ErrClosed)
		}
	})
}
