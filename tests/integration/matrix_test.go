// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"
	"testing"
	"time"
)

// Conditions of the matrices. Both middleboxes have the same kind of NF.
const (
	overIPv4 = "IPv4" // names of families
	overIPv6 = "IPv6"

	nfInline   = "inline NF"
	nfNone     = "no NF"
	nfTap      = "tap" // with a program that listens
	nfRedirect = "redirect"

	mtu1500   = "MTU 1500"
	mtu9000   = "MTU 9000"
	mtuShrink = "MTU 9000, later 1500 in the middle"

	offloadsOn    = "offloads"
	offloadsMixed = "offloads but on the last link" // what was left to devices is done there
	offloadsOff   = "no offloads"

	ecnOn  = "ECN"
	ecnOff = "no ECN"

	timestampsOn  = "timestamps"
	timestampsOff = "no timestamps"

	lossless   = "no loss"
	lossy      = "loss 2 %"
	lossNoSACK = "loss 2 %, no SACK"
)

// tcpMatrix is what a connection may meet, udpMatrix what datagrams may. A test run
// takes a sample, a soak all of it.
var (
	tcpMatrix = []dimension{
		{overIPv4, overIPv6},
		{nfInline, nfNone, nfTap, nfRedirect},
		{mtu1500, mtu9000, mtuShrink},
		{offloadsOn, offloadsMixed, offloadsOff},
		{ecnOn, ecnOff},
		{timestampsOn, timestampsOff},
		{lossless, lossy, lossNoSACK},
	}
	udpMatrix = []dimension{
		{overIPv4, overIPv6},
		{nfInline, nfNone, nfTap, nfRedirect},
		{mtu1500, mtu9000, mtuShrink},
		{offloadsOn, offloadsMixed, offloadsOff},
		{ecnOn, ecnOff},
		{lossless, lossy},
	}
)

// Connections come out whole under every condition, with what both ends agreed
// on in use, and with every signal that the network gives them.
func TestMatrixTCP(t *testing.T) { eachCell(t, tcpMatrix, (*stand).converse) }

// Datagrams come out whole under every condition, and none is missing but what
// the network lost.
func TestMatrixUDP(t *testing.T) { eachCell(t, udpMatrix, (*stand).correspond) }

func eachCell(t *testing.T, dimensions []dimension, try func(*stand, *testing.T) error) {
	cells := sampleOf(dimensions)
	if soaking() {
		cells = product(dimensions)
	}
	eachFamily(t, func(t *testing.T, f family) {
		s := newStand(t, f)
		for _, c := range cells {
			if !c.is(f.name) {
				continue
			}
			t.Run(c.String(), func(t *testing.T) {
				if err := s.try(t, c, try); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// Every check of the matrices can fail: what is made wrong behind the middle link
// is noticed, and as what it is.
func TestMatrixNotices(t *testing.T) {
	tcp := cell{overIPv4, nfInline, mtu1500, offloadsOff, ecnOn, timestampsOn, lossy}
	udp := cell{overIPv4, nfInline, mtu1500, offloadsOff, ecnOn, lossless}
	rows := []struct {
		name  string
		cell  cell
		fault string // a rule for what comes to the server
		want  string // part of the error
	}{
		{"ECN refused by a middlebox", tcp, "tcp flags & (syn | ack) == syn @th,104,8 set 2", "ECN"},
		{"marks erased", tcp, "ip ecn ce ip ecn set ect0", "no mark reached"},
		{"timestamps stripped", tcp, "tcp flags syn reset tcp option timestamp", "timestamps"},
		{"SACK stripped", tcp, "tcp flags syn reset tcp option sack-perm", "SACK"},
		{"SACK blocks changed", tcp, "tcp option sack left 1-0xffffffff tcp option sack left set 1", "SACKDiscard"},
		{"checksum wrong", tcp, "meta l4proto tcp numgen inc mod 20 == 19 @th,128,16 set 1", "TcpInCsumErrors"},
		{"content changed", udp, "udp length 1008 @th,512,32 set 0 @th,48,16 set 0", "not what was sent"},
		{"datagram checksum wrong", udp, "udp length 1008 @th,48,16 set 1", "UdpInCsumErrors"},
		{"datagram lost", udp, "udp length 1008 numgen inc mod 20 == 19 drop", "came"},
		{"marks of datagrams erased", udp, "ip ecn ce ip ecn set ect0", "marked"},
	}
	s := newStand(t, ipv4)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			try := (*stand).converse
			if len(row.cell) == len(udpMatrix) {
				try = (*stand).correspond
			}
			s.server().nft(t, "netdev fault",
				`chain in { type filter hook ingress device "left" priority 0; `+row.fault+"; }")
			s.patience = time.Duration(slow) * 3 * time.Second
			err := s.try(t, row.cell, try)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the error is %v, want one about %q", err, row.want)
			}
		})
	}
}
