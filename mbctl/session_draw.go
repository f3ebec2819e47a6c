// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"mbchain/chain"
	"mbchain/mbctl/internal/chainview"
	"mbchain/proto"
)

// drawing is the picture of one chain, client on top. It fits drawingWidth
// columns: what long addresses make longer goes on in the next line.
type drawing struct {
	*world
	glyphs
	chain   chainview.Chain
	types   nfTypes
	missing []*proto.Missing
	local   bool // other hosts were not asked
}

// Columns of the drawing.
const (
	drawingWidth = 100

	nameWidth  = 24 // longest host name that is shown whole
	countWidth = 12 // 9,999,999,999 and a space
	bytesWidth = 10 // "1023.9 MiB"
	endWidth   = countWidth + len(" packets  ") + bytesWidth
)

func (d *drawing) draw() {
	d.head()
	for i, h := range d.chain.Hosts {
		d.host(i, h)
		if i < len(d.chain.Links) {
			d.link(d.chain.Links[i], h, d.chain.Hosts[i+1])
		}
	}
	if len(d.chain.Notes) > 0 {
		d.printf("\nnotes\n")
		for _, note := range d.chain.Notes {
			d.printf("  - %s\n", d.paint(yellow, note))
		}
	}
}

func (d *drawing) head() {
	super := d.chain.Super
	d.printf("session %s\n", d.paint(bold, d.chain.ID))
	protocol := " " + protocolText(super.GetProtocol())
	for _, line := range d.tuple(super, 0, protocol, "", drawingWidth-2) {
		d.printf("  %s\n", line)
	}
	if d.chain.Rule != 0 {
		d.printf("  by rule %d of policy version %d\n", d.chain.Rule, d.chain.PolicyVersion)
	}
	if how, tint := setupText(d.chain); how != "" {
		d.printf("  %s\n", d.paint(tint, how))
	}
	d.printf("\n")
}

// host draws one line: mark, name, address, what it does, how the session
// stands there.
func (d *drawing) host(i int, h chainview.Host) {
	mark, tint := d.middle, bold
	if h.Role != proto.Role_ROLE_MIDDLE {
		mark = d.end
	}
	if h.Record == nil && !h.Agentless {
		mark, tint = d.glyphs.missing, red
	}
	part := fmt.Sprintf("%s %s  %s  %s", d.paint(tint, mark), d.paint(tint, pad(cut(h.Label(), nameWidth), d.longestName())),
		pad(dash(h.Address), d.longestAddress()), pad(d.does(i, h), d.longestWork()))
	standing, tint := d.standing(h)
	switch {
	case !d.wide():
		d.printf("%s  %s\n", part, d.paint(tint, standing))
	case i < len(d.chain.Links):
		d.printf("%s\n", strings.TrimRight(part, " "))
		d.inside(d.paint(tint, standing))
	default:
		d.printf("%s\n    %s\n", strings.TrimRight(part, " "), d.paint(tint, standing))
	}
}

// wide says whether the lines of hosts are too long to be lines each.
func (d *drawing) wide() bool {
	standing := d.longest(func(_ int, h chainview.Host) string {
		text, _ := d.standing(h)
		return text
	})
	return len("# ")+d.longestName()+d.longestAddress()+d.longestWork()+standing+3*len(gap) > drawingWidth
}

// does is the host's part: its NF types, or its role.
func (d *drawing) does(i int, h chainview.Host) string {
	types := strings.Join(d.types.of(i), ", ")
	if h.Gateway {
		return "gateway"
	}
	if h.Role == proto.Role_ROLE_MIDDLE {
		if types == "" {
			return "middle"
		}
		return types
	}
	role := chain.Role(h.Role).String()
	if types != "" {
		return types + ", " + role
	}
	return role
}

// standing is the session's state at a host, or why it is not known, and its
// colour.
func (d *drawing) standing(h chainview.Host) (string, colour) {
	if h.Record != nil {
		return fmt.Sprintf("%s, %s old, idle %s", h.Record.State, millisText(h.Record.AgeMs), millisText(h.Record.IdleMs)), plain
	}
	if h.Agentless {
		return "runs no mbchain", plain
	}
	if d.local {
		return "not asked", plain
	}
	for _, m := range d.missing {
		if m.Host == h.Name {
			return "no answer: " + cut(m.Error, nameWidth), red
		}
	}
	if h.Name == "" {
		return "missing: no agent has this address", red
	}
	return "missing: knows no such session", red
}

// link draws the subsession between two neighbours.
func (d *drawing) link(l chainview.Link, left, right chainview.Host) {
	leftName, rightName := cut(left.Label(), nameWidth), cut(right.Label(), nameWidth)
	d.inside("")
	switch {
	case l.Plain:
		d.subsession(d.chain.Super, 0, "  the session itself", "")
		d.inside("")
		return
	case l.Translated():
		width := max(len([]rune(tupleText(l.Left.Tuple, d.right))), len([]rune(tupleText(l.Right.Tuple, d.right))))
		d.subsession(l.Left.Tuple, width, "  as "+leftName+" sends it", "")
		d.subsession(l.Right.Tuple, width, "  as "+rightName+" receives it: ", "translated between")
	case l.Left != nil:
		d.subsession(l.Left.Tuple, 0, onlyFrom(l.Right, leftName), "")
	case l.Right != nil:
		d.subsession(l.Right.Tuple, 0, onlyFrom(l.Left, rightName), "")
	default:
		d.inside("unknown: neither end reported")
		d.inside("")
		return
	}
	if l.Gap {
		d.inside(d.paint(yellow, "between "+leftName+" and "+rightName+" there may be hosts that nobody reported"))
	}
	d.inside("   " + pad("at "+leftName, -endWidth) + "   " + pad("at "+rightName, -endWidth))
	d.counts(d.right,
		l.Left != nil, l.Left.GetOutPackets(), l.Left.GetOutBytes(),
		l.Right != nil, l.Right.GetInPackets(), l.Right.GetInBytes())
	d.counts(d.left,
		l.Left != nil, l.Left.GetInPackets(), l.Left.GetInBytes(),
		l.Right != nil, l.Right.GetOutPackets(), l.Right.GetOutBytes())
	d.inside("")
}

func (d *drawing) subsession(t *proto.Tuple, width int, remark, warning string) {
	for _, line := range d.tuple(t, width, remark, warning, drawingWidth-len("|   ")) {
		d.inside(line)
	}
}

// tuple writes a five-tuple, width columns at least, and something about it, a
// warning in yellow. It takes one line, or more if that were longer than room:
// each end has its own then, and the remark too unless it fits behind the
// second.
func (d *drawing) tuple(t *proto.Tuple, width int, remark, warning string, room int) []string {
	length := func(s string) int { return len([]rune(s)) }
	painted := remark + d.paint(yellow, warning)
	one := pad(tupleText(t, d.right), width)
	if length(one+remark+warning) <= room {
		return []string{one + painted}
	}
	source, destination := endText(t.GetSource(), t.GetSourcePort()), d.right+" "+endText(t.GetDestination(), t.GetDestinationPort())
	if length(destination+remark+warning) <= room {
		return []string{source, destination + painted}
	}
	return []string{source, destination, painted}
}

// onlyFrom marks a tuple that only one of its ends reported.
func onlyFrom(other *proto.Side, name string) string {
	if other != nil {
		return ""
	}
	return "  as " + name + " sees it"
}

// counts draws one direction: the left end's counters, an arrow, the right
// end's.
func (d *drawing) counts(arrow string, haveLeft bool, leftPackets, leftBytes uint64,
	haveRight bool, rightPackets, rightBytes uint64) {
	d.inside("   " + countsText(haveLeft, leftPackets, leftBytes) + " " + pad(arrow, 2) +
		countsText(haveRight, rightPackets, rightBytes))
}

func countsText(have bool, packets, bytes uint64) string {
	if !have {
		return pad("-", -endWidth)
	}
	noun := " packets  "
	if packets == 1 {
		noun = " packet   "
	}
	return pad(countText(packets), -countWidth) + noun + pad(bytesText(bytes), -bytesWidth)
}

// inside writes a line beside the vertical line between two hosts.
func (d *drawing) inside(s string) {
	d.printf("%s\n", strings.TrimRight(d.paint(faint, d.line)+"   "+s, " "))
}

func (d *drawing) longestName() int {
	return d.longest(func(_ int, h chainview.Host) string { return cut(h.Label(), nameWidth) })
}

func (d *drawing) longestAddress() int {
	return d.longest(func(_ int, h chainview.Host) string { return dash(h.Address) })
}

func (d *drawing) longestWork() int { return d.longest(d.does) }

func (d *drawing) longest(of func(int, chainview.Host) string) int {
	width := 0
	for i, h := range d.chain.Hosts {
		width = max(width, len([]rune(of(i, h))))
	}
	return width
}
