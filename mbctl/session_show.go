// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/chain"
	"mbchain/mbctl/internal/chainview"
	"mbchain/proto"
)

func (w *world) sessionShowCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "draw the whole chain of one session",
		ArgsUsage: "[ID-PREFIX] [--match PREDICATE] [--state STATE]...",
		Description: describe(`Draws every host from client to server and every subsession between them, with
the packets and bytes that each end counted. Hosts do not answer at the same
instant, so the counters of a session in flight differ a little. Where the two
ends see different tuples, something between them translates addresses.

Without an id, the session must be the only one that matches; sessions that
have ended step back if one is alive. Ends with 5 when a host of the chain
reported nothing.`,
			"mbctl session show 3f9ac0de",
			"mbctl session show --match 'dstport=80'",
			"mbctl --agent "+agentSocket+" session show"),
		Flags:  append(filterFlags(), limitFlag()),
		Action: w.action(w.sessionShow),
	}
}

// sessionView is what session show prints in JSON.
type sessionView struct {
	Session chainView     `json:"session"`
	Missing []missingView `json:"missing"`
}

func (w *world) sessionShow(c *cli.Context) error {
	args, err := operands(c, 0, 1)
	if err != nil {
		return err
	}
	from, err := w.source(c)
	if err != nil {
		return err
	}
	hosts, err := from.directory(c)
	if err != nil {
		return err
	}
	prefix := strings.ToLower(strings.Join(args, ""))
	s, err := w.sessions(c, from, prefix, hosts.names())
	if err != nil {
		return err
	}
	one, err := s.one(prefix)
	if err != nil {
		s.warn(w)
		return err
	}
	types := from.nfTypes(c, one, hosts)
	local := from.policyd == nil
	if c.Bool("json") {
		err = w.printJSON(sessionView{Session: viewChain(one, types), Missing: viewMissing(s.missing)})
	} else {
		d := &drawing{world: w, glyphs: w.glyphs(), chain: one, types: types, missing: s.missing, local: local}
		d.draw()
	}
	if !one.Complete() && !local {
		err = errors.Join(err, silent(exitHosts))
	}
	return err
}

// one is the session meant: the only one, or the only one still alive.
func (s *sessions) one(prefix string) (chainview.Chain, error) {
	candidates := s.chains
	if len(candidates) > 1 {
		alive := slices.DeleteFunc(slices.Clone(candidates), ended)
		if len(alive) == 1 {
			candidates = alive
		}
	}
	switch len(candidates) {
	case 1:
		return candidates[0], nil
	case 0:
		what := "such session"
		if prefix != "" {
			what = fmt.Sprintf("session begins with %s", prefix)
		}
		return chainview.Chain{}, notFound("see `mbctl session list`; a session that ended is soon forgotten",
			"show session: no %s", what)
	}
	var ids []string
	digits := idDigits(candidates)
	for _, chain := range candidates[:min(len(candidates), 5)] {
		ids = append(ids, cut8(chain.ID, digits))
	}
	return chainview.Chain{}, &failure{
		code: exitUsage,
		err:  fmt.Errorf("show session: %d sessions match", len(candidates)),
		hint: fmt.Sprintf("give an id or --match: %s; see `mbctl session list`", strings.Join(ids, ", ")),
	}
}

func ended(c chainview.Chain) bool {
	state, err := chain.ParseState(c.First().GetState())
	return err == nil && state.Ended()
}

// directory is what policyd knows of hosts. It is empty with --agent.
type directory []*proto.Host

func (s *source) directory(c *cli.Context) (directory, error) {
	if s.policyd == nil {
		return nil, nil
	}
	return s.policyd.hosts(c)
}

// names maps each address to the host that has it.
func (d directory) names() map[string]string {
	names := make(map[string]string)
	for _, h := range d {
		for _, addr := range h.Addresses {
			names[addr] = h.Name
		}
	}
	return names
}

// nfTypes are the NF types at each host of a chain, by position. A nil map
// knows none.
type nfTypes map[int][]string

func (t nfTypes) of(i int) []string { return t[i] }

// nfTypes says what each middle host does in the chain: what the policy asks
// of it, as long as the policy is the one the session was set up by; else
// what its agent says that it offers.
func (s *source) nfTypes(c *cli.Context, one chainview.Chain, hosts directory) nfTypes {
	if s.policyd == nil {
		return nil
	}
	asked := make(map[string][]string) // by address
	got, err := s.policyd.policy.Explain(c.Context, &proto.ExplainRequest{Tuple: one.Super})
	if err == nil && one.Rule != 0 && got.Rule == one.Rule && got.Version == one.PolicyVersion {
		for _, hop := range got.Hops {
			if hop.Type != "" {
				asked[hop.Address] = append(asked[hop.Address], hop.Type)
			}
		}
	}
	types := make(nfTypes)
	for i, h := range one.Hosts {
		types[i] = asked[h.Address]
		if len(types[i]) > 0 || h.Role != proto.Role_ROLE_MIDDLE {
			continue
		}
		for _, known := range hosts {
			if known.Name == h.Name {
				types[i] = known.NfTypes
			}
		}
	}
	return types
}
