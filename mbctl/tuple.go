// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"strings"

	"mbchain/chain"
	"mbchain/proto"
)

// tupleView is a five-tuple in JSON.
type tupleView struct {
	Source          string `json:"source"`
	SourcePort      uint32 `json:"source_port"`
	Destination     string `json:"destination"`
	DestinationPort uint32 `json:"destination_port"`
	Protocol        string `json:"protocol"` // "tcp", "udp" or a number
}

func viewTuple(t *proto.Tuple) *tupleView {
	if t == nil {
		return nil
	}
	return &tupleView{
		Source:          t.Source,
		SourcePort:      t.SourcePort,
		Destination:     t.Destination,
		DestinationPort: t.DestinationPort,
		Protocol:        protocolText(t.Protocol),
	}
}

// arrows are the ways to write what chain.ParseFiveTuple calls ">".
var arrows = strings.NewReplacer("->", " > ", "→", " > ")

// parseTuple reads a five-tuple from a command's arguments, which need no
// quotes when no arrow is among them.
func parseTuple(args []string) (*proto.Tuple, error) {
	t, err := chain.ParseFiveTuple(arrows.Replace(strings.Join(args, " ")))
	if err != nil {
		return nil, err
	}
	return &proto.Tuple{
		Source:          t.Source.Addr().String(),
		SourcePort:      uint32(t.Source.Port()),
		Destination:     t.Destination.Addr().String(),
		DestinationPort: uint32(t.Destination.Port()),
		Protocol:        uint32(t.Protocol),
	}, nil
}

// fiveTuple is t for whom needs addresses; false when a host sent nonsense.
func fiveTuple(t *proto.Tuple) (chain.FiveTuple, bool) {
	source, err1 := netip.ParseAddr(t.GetSource())
	destination, err2 := netip.ParseAddr(t.GetDestination())
	if err1 != nil || err2 != nil || t.SourcePort > 0xffff || t.DestinationPort > 0xffff || t.Protocol > 0xff {
		return chain.FiveTuple{}, false
	}
	return chain.FiveTuple{
		Source:      netip.AddrPortFrom(source, uint16(t.SourcePort)),
		Destination: netip.AddrPortFrom(destination, uint16(t.DestinationPort)),
		Protocol:    uint8(t.Protocol),
	}, true
}
