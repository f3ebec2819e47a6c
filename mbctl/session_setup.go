// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"mbchain/chain"
	"mbchain/mbctl/internal/chainview"
)

// setupCell is how a session was set up, for a table.
func setupCell(c chainview.Chain) cell {
	way := c.Setup()
	switch way {
	case chain.SetupBlocked.String(), chain.SetupBypassed.String():
		return tinted(red, way)
	case chain.SetupWaiting.String():
		return tinted(yellow, way)
	}
	return text(way)
}

// setupText says how a session was set up, and its colour; empty if no host said.
func setupText(c chainview.Chain) (string, colour) {
	way := c.Setup()
	hosts := c.RightOf(way)
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Label()
	}
	where := "right of " + strings.Join(names, ", ")
	switch way {
	case "":
		return "", plain
	case chain.SetupBlocked.String():
		return "set-up out-of-band failed " + where + ": blocked until it is tried again", red
	case chain.SetupBypassed.String():
		return "set-up out-of-band failed " + where + ": goes straight to the server until it is tried again", red
	case chain.SetupWaiting.String():
		return "waits for its agents to set up what is " + where, yellow
	}
	others := len(c.RightOf(chain.SetupInBand.String())) > 0
	if way == chain.SetupDone.String() && others {
		return "set up in-band, and out-of-band " + where, plain
	}
	return "set up " + way, plain
}
