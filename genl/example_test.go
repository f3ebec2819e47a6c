// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"

	"mbchain/genl"
	"mbchain/genl/genlfake"

	"golang.org/x/net/bpf"
)

// List the sessions of this host. A real program calls New() and needs no
// kernel of its own.
func ExampleClient_Sessions() {
	kernel := genlfake.New()
	kernel.AddSession(middle(0x42))

	client, err := genl.NewClient(kernel.Dial)
	if errors.Is(err, genl.ErrNotSupported) {
		log.Fatal(err) // says what to do about it
	}
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	sessions, err := client.Sessions(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range sessions {
		fmt.Println(s.ID.Short(), s.Role, s.State, s.Super)
	}
	// Output: 42000000 middle established 10.0.0.1:40000 > 10.0.0.4:80 tcp
}

// Send all TCP to port 80 through a firewall.
func ExampleClient_LoadPolicy() {
	kernel := genlfake.New()
	client, err := genl.NewClient(kernel.Dial)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 9, Size: 1}, // protocol
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 6, SkipTrue: 4},
		bpf.LoadMemShift{Off: 0}, // length of the IP header
		bpf.LoadIndirect{Off: 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 80, SkipTrue: 1},
		bpf.RetConstant{Val: 1}, // the first rule
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		log.Fatal(err)
	}
	err = client.LoadPolicy(context.Background(), &genl.Policy{
		Version: 1,
		Types: []genl.Type{{
			Name:      "firewall",
			Instances: []genl.Instance{{Addr: netip.MustParseAddr("10.0.0.2"), Weight: 1}},
		}},
		Rules:    []genl.Rule{{ID: 1, OnFailure: genl.Block, Types: []uint16{0}}},
		Programs: [][]bpf.RawInstruction{program},
		Hosts:    []netip.Addr{netip.MustParseAddr("10.0.0.4")},
	})
	fmt.Println(err)

	info, err := client.Policy(context.Background())
	fmt.Println(info.Version, info.Rules, err)
	// Output:
	// <nil>
	// 1 1 <nil>
}

// Follow sessions, and start anew when events were lost.
func ExampleEvents() {
	kernel := genlfake.New()
	client, err := genl.NewClient(kernel.Dial)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	events, err := client.Subscribe()
	if err != nil {
		log.Fatal(err)
	}
	defer events.Close()

	kernel.AddSession(middle(1))
	kernel.LoseEvents()
	kernel.EndSession(middle(1).ID, genl.ReasonEndFIN)

	for range 3 {
		some, err := events.Receive(context.Background())
		if errors.Is(err, genl.ErrEventsLost) {
			sessions, err := client.Sessions(context.Background())
			fmt.Println("lost events, now", len(sessions), "sessions", err)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range some {
			switch e := e.(type) {
			case genl.SessionNew:
				fmt.Println("new", e.Session.Super)
			case genl.SessionEnd:
				fmt.Println("end", e.Session.Super, e.Reason)
			}
		}
	}
	// Output:
	// new 10.0.0.1:40000 > 10.0.0.4:80 tcp
	// lost events, now 0 sessions <nil>
	// end 10.0.0.1:40000 > 10.0.0.4:80 tcp end_fin
}
