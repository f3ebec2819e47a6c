// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/policy"
)

// configure gives the module of a namespace a key, and a policy if it has rules.
func configure(namespace string, f *family, rules ruleSet) error {
	_, err := within(namespace, func() (struct{}, error) {
		ctx := context.Background()
		c, err := genl.New()
		if err != nil {
			return struct{}{}, err
		}
		defer c.Close()
		if err := c.SetKeys(ctx, []genl.Key{key}); err != nil {
			return struct{}{}, err
		}
		if err := c.SetConfig(ctx, genl.Config{SYNTimeout: 10 * time.Minute}); err != nil {
			return struct{}{}, err
		}
		if rules.n == 0 {
			return struct{}{}, nil
		}
		p, err := newPolicy(rules.predicates(f))
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, c.LoadPolicy(ctx, p)
	})
	if err != nil {
		return fmt.Errorf("configure %s: %w", namespace, err)
	}
	return nil
}

// attachNF says how the NF of a namespace gets its packets.
func attachNF(namespace string, nf genl.NF) error {
	_, err := within(namespace, func() (struct{}, error) {
		c, err := genl.New()
		if err != nil {
			return struct{}{}, err
		}
		defer c.Close()
		return struct{}{}, c.SetNF(context.Background(), nf)
	})
	if err != nil {
		return fmt.Errorf("attach NF %v to %s: %w", nf, namespace, err)
	}
	return nil
}

// sessionID is that of session i of a host.
func sessionID(i int) chain.SessionID {
	var id chain.SessionID
	binary.BigEndian.PutUint64(id[:], 1)
	binary.BigEndian.PutUint64(id[8:], uint64(i))
	return id
}

// setUpByAgent installs sessions on a host as its agent does when the left
// neighbour's asks for them, and lets their packets go.
func setUpByAgent(namespace string, requests []genl.SessionRequest) error {
	if len(requests) == 0 {
		return nil
	}
	_, err := within(namespace, func() (struct{}, error) {
		c, err := genl.New()
		if err != nil {
			return struct{}{}, err
		}
		defer c.Close()
		for _, r := range requests {
			if _, err := c.NewSession(context.Background(), r); err != nil {
				return struct{}{}, err
			}
			if len(r.Hops) == 0 {
				continue // nothing is left to wait for
			}
			if err := c.FinishSetup(context.Background(), r.ID, chain.SetupDone, genl.ReasonNone); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("set up sessions on %s: %w", namespace, err)
	}
	return nil
}

// answerSetUps plays the agent of a host whose n sessions are about to ask for
// one, while ask sends their first packets.
func answerSetUps(namespace string, n int, ask func() error) error {
	_, err := within(namespace, func() (struct{}, error) {
		c, err := genl.New()
		if err != nil {
			return struct{}{}, err
		}
		defer c.Close()
		events, err := c.SubscribeSetup()
		if err != nil {
			return struct{}{}, err
		}
		defer events.Close()
		if err := ask(); err != nil {
			return struct{}{}, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for n > 0 {
			list, err := events.Receive(ctx)
			if err != nil {
				return struct{}{}, err
			}
			for _, e := range list {
				wanted, ok := e.(genl.SetupWanted)
				if !ok {
					continue
				}
				if err := c.FinishSetup(ctx, wanted.Session.ID, chain.SetupDone, genl.ReasonNone); err != nil {
					return struct{}{}, err
				}
				n--
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("answer set-ups of %s: %w", namespace, err)
	}
	return nil
}

// newPolicy is a policy of predicates that all lead through the middle host.
func newPolicy(rules []string) (*genl.Policy, error) {
	p := &genl.Policy{
		Version: 1,
		Types: []genl.Type{{
			Name:      "middle",
			Instances: []genl.Instance{{Addr: ipv4.middle, Addr6: ipv6.middle, Weight: 1}},
		}},
		Hosts: []netip.Addr{ipv4.server, ipv6.server},
	}
	predicates := make([]policy.Predicate, len(rules))
	for i, r := range rules {
		var err error
		if predicates[i], err = policy.ParsePredicate(r); err != nil {
			return nil, err
		}
		p.Rules = append(p.Rules, genl.Rule{ID: uint32(i) + 1, Types: []uint16{0}})
	}
	var err error
	if p.Programs, err = policy.Compile(predicates); err != nil {
		return nil, err
	}
	p.Programs6, err = policy.Compile6(predicates)
	return p, err
}

// sessions is how many the module of a namespace has.
func sessions(namespace string) (int, error) {
	return within(namespace, func() (int, error) {
		c, err := genl.New()
		if err != nil {
			return 0, err
		}
		defer c.Close()
		info, err := c.Info(context.Background())
		if err != nil {
			return 0, err
		}
		return int(info.Sessions), nil
	})
}

// awaitSessions fails unless a namespace has n sessions.
func awaitSessions(namespace string, n int) error {
	got, err := sessions(namespace)
	if err == nil && got != n {
		err = fmt.Errorf("set up sessions on %s: there are %d, want %d", namespace, got, n)
	}
	return err
}
