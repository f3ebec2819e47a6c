// SPDX-License-Identifier: Apache-2.0

package chainview

import (
	"slices"

	"mbchain/chain"
	"mbchain/proto"
)

// gravest orders how parts of a chain came to be: the first that is found is
// that of the whole.
var gravest = []string{
	chain.SetupBlocked.String(), chain.SetupBypassed.String(), chain.SetupWaiting.String(),
	chain.SetupDone.String(), chain.SetupInBand.String(),
}

// Setup is how a session was set up, in the words of [chain.Setup]: the gravest
// of what its hosts say of what is right of them, empty if none does.
func (c Chain) Setup() string {
	for _, way := range gravest {
		if slices.ContainsFunc(c.Hosts, func(h Host) bool { return h.setup() == way }) {
			return way
		}
	}
	return ""
}

// RightOf returns the hosts of which what is right was set up in this way.
func (c Chain) RightOf(way string) []Host {
	return slices.DeleteFunc(slices.Clone(c.Hosts), func(h Host) bool { return h.setup() != way })
}

// setup is empty at the server: nothing is right of it.
func (h Host) setup() string {
	if h.Role == proto.Role_ROLE_SERVER {
		return ""
	}
	return h.Record.GetSetup()
}
