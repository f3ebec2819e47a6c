// SPDX-License-Identifier: Apache-2.0

package main

import (
	"mbchain/chain"
	"mbchain/mbctl/internal/chainview"
	"mbchain/proto"
)

// chainView is a session in JSON.
type chainView struct {
	ID            string          `json:"id"`
	Super         *tupleView      `json:"super"`
	State         string          `json:"state"`
	Setup         string          `json:"setup"`
	Rule          uint32          `json:"rule"`
	PolicyVersion uint64          `json:"policy_version"`
	AgeMs         uint64          `json:"age_ms"`
	IdleMs        uint64          `json:"idle_ms"`
	Complete      bool            `json:"complete"`
	Hosts         []chainHostView `json:"hosts"`
	Subsessions   []linkView      `json:"subsessions"`
	Notes         []string        `json:"notes"`
}

type chainHostView struct {
	Name     string   `json:"name"`
	Address  string   `json:"address"`
	Role     string   `json:"role"`
	Gateway  bool     `json:"gateway"`
	NFTypes  []string `json:"nf_types"`
	Reported bool     `json:"reported"`
	State    string   `json:"state"`
	Setup    string   `json:"setup"` // of what is right of it
	AgeMs    uint64   `json:"age_ms"`
	IdleMs   uint64   `json:"idle_ms"`
}

// linkView is the subsession between two neighbouring hosts.
type linkView struct {
	Left       *sideView `json:"left"`  // as the host to the left sees it
	Right      *sideView `json:"right"` // as the host to the right sees it
	Translated bool      `json:"translated"`
	Gap        bool      `json:"gap"`
}

type sideView struct {
	Tuple      *tupleView `json:"tuple"`
	InPackets  uint64     `json:"in_packets"`
	InBytes    uint64     `json:"in_bytes"`
	OutPackets uint64     `json:"out_packets"`
	OutBytes   uint64     `json:"out_bytes"`
}

// viewChain makes the JSON of a chain; types gives the NF types of a host of
// it and may be nil.
func viewChain(c chainview.Chain, types nfTypes) chainView {
	first := c.First()
	v := chainView{
		ID:            c.ID,
		Super:         viewTuple(c.Super),
		State:         first.GetState(),
		Setup:         c.Setup(),
		Rule:          c.Rule,
		PolicyVersion: c.PolicyVersion,
		AgeMs:         first.GetAgeMs(),
		IdleMs:        first.GetIdleMs(),
		Complete:      c.Complete(),
		Hosts:         []chainHostView{},
		Subsessions:   []linkView{},
		Notes:         append([]string{}, c.Notes...),
	}
	for i, h := range c.Hosts {
		v.Hosts = append(v.Hosts, chainHostView{
			Name:     h.Name,
			Address:  h.Address,
			Role:     chain.Role(h.Role).String(),
			Gateway:  h.Gateway,
			NFTypes:  append([]string{}, types.of(i)...),
			Reported: h.Record != nil,
			State:    h.Record.GetState(),
			Setup:    h.Record.GetSetup(),
			AgeMs:    h.Record.GetAgeMs(),
			IdleMs:   h.Record.GetIdleMs(),
		})
	}
	for _, l := range c.Links {
		v.Subsessions = append(v.Subsessions, linkView{
			Left:       viewSide(l.Left),
			Right:      viewSide(l.Right),
			Translated: l.Translated(),
			Gap:        l.Gap,
		})
	}
	return v
}

func viewSide(s *proto.Side) *sideView {
	if s == nil {
		return nil
	}
	return &sideView{
		Tuple:      viewTuple(s.Tuple),
		InPackets:  s.InPackets,
		InBytes:    s.InBytes,
		OutPackets: s.OutPackets,
		OutBytes:   s.OutBytes,
	}
}
