// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"

	"mbchain/genl"
	"mbchain/proto"
)

// An Event is something that happened in the module: exactly one of its fields
// is set, or Reason beside End.
type Event struct {
	// Resync: what happened before this event is unknown. A dump tells what
	// is; the events that follow tell what becomes of it. The first event
	// is one of these.
	Resync bool
	New    *proto.Session // installed
	End    *proto.Session // gone, with its final counters
	Reason string         // why it ended: "end_fin" for instance
	Policy uint64         // version of the policy that runs from now on
}

// Watch hands over the events of the module that is there now, one after the
// other, until ctx is done or something fails, and returns why it stopped.
// Events of a module that is loaded later need another Watch.
func (k *Kernel) Watch(ctx context.Context, handle func(Event)) error {
	client, err := k.dialled()
	if err != nil {
		return err
	}
	events, err := client.Subscribe()
	if err != nil {
		return classified(err)
	}
	defer func() { _ = events.Close() }()
	return follow(ctx, events, func() { handle(Event{Resync: true}) }, func(e genl.Event) {
		switch e := e.(type) {
		case genl.SessionNew:
			handle(Event{New: sessionOf(&e.Session)})
		case genl.SessionEnd:
			handle(Event{End: sessionOf(&e.Session), Reason: e.Reason.String()})
		case genl.PolicyLoaded:
			handle(Event{Policy: e.Version})
		}
	})
}

// follow hands over events, and says when some may have been missed: at first, and
// whenever any are lost.
func follow(ctx context.Context, events *genl.Events, resync func(), handle func(genl.Event)) error {
	resync()
	for {
		received, err := events.Receive(ctx)
		switch {
		case errors.Is(err, genl.ErrEventsLost):
			resync()
		case err != nil:
			return classified(err)
		}
		for _, e := range received {
			handle(e)
		}
	}
}
