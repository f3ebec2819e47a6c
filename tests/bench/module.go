// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/policy"
)

// configure gives this namespace's module a key, and with a chain the policy
// that leads every session through the middle host.
func configure(chained bool) error {
	ctx := context.Background()
	c, err := genl.New()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetKeys(ctx, []genl.Key{{ID: 1, Secret: genl.Secret{1}}}); err != nil {
		return err
	}
	if !chained {
		return nil
	}
	any, err := policy.ParsePredicate("any")
	if err != nil {
		return err
	}
	programs, err := policy.Compile([]policy.Predicate{any})
	if err != nil {
		return err
	}
	return c.LoadPolicy(ctx, &genl.Policy{
		Version: 1,
		Types: []genl.Type{{
			Name:      "middle",
			Instances: []genl.Instance{{Addr: netip.MustParseAddr(middleAddr), Weight: 1}},
		}},
		Rules:    []genl.Rule{{ID: 1, Types: []uint16{0}}},
		Programs: programs,
		Hosts:    []netip.Addr{netip.MustParseAddr(serverAddr)},
	})
}

// subsessions prints, as JSON, by the port of a session at the client the
// tuple under which its packets leave there.
func subsessions() error {
	c, err := genl.New()
	if err != nil {
		return err
	}
	defer c.Close()
	sessions, err := c.Sessions(context.Background())
	if err != nil {
		return err
	}
	tuples := make(map[uint16]chain.FiveTuple, len(sessions))
	for _, s := range sessions {
		if s.Right == nil {
			return fmt.Errorf("list sessions: %s has no right side", s.ID)
		}
		tuples[s.Super.Source.Port()] = s.Right.Tuple
	}
	return json.NewEncoder(os.Stdout).Encode(tuples)
}
