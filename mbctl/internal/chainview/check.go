// SPDX-License-Identifier: Apache-2.0

package chainview

import (
	"net"
	"strconv"

	"mbchain/chain"
	"mbchain/proto"
)

// check notes where the seated records contradict each other.
func (j *joiner) check() {
	for i, h := range j.chain.Hosts {
		if h.Record == nil {
			continue
		}
		j.checkRole(i, h)
		j.checkRoute(h)
		j.checkSuper(h)
	}
}

func (j *joiner) checkRole(i int, h Host) {
	want := proto.Role_ROLE_MIDDLE
	switch i {
	case 0:
		want = proto.Role_ROLE_CLIENT
	case len(j.chain.Hosts) - 1:
		want = proto.Role_ROLE_SERVER
	}
	if h.Gateway {
		want = proto.Role_ROLE_MIDDLE
	}
	if h.Role != want {
		j.note("%s reports the role %s where the %s stands", h.Label(), roleName(h.Role), roleName(want))
	}
}

// checkRoute compares the addresses right of a host with those that the
// leftmost host knows.
func (j *joiner) checkRoute(h Host) {
	mine := h.Record.Hops
	theirs := j.route[len(j.route)-len(mine):]
	for i := range mine {
		if mine[i] != theirs[i] {
			j.note("%s sends on to %s, but the chain set up is %s", h.Label(), mine[i], theirs[i])
			return
		}
	}
	if name := j.names[h.Address]; name != "" && name != h.Name {
		j.note("%s reports the part of %s, which is %s", h.Name, h.Address, name)
	}
}

func (j *joiner) checkSuper(h Host) {
	if !sameTuple(h.Record.Super, j.chain.Super) {
		j.note("%s knows the supersession as %s", h.Label(), tupleText(h.Record.Super))
	}
}

func tupleText(t *proto.Tuple) string {
	return endText(t.GetSource(), t.GetSourcePort()) + " -> " + endText(t.GetDestination(), t.GetDestinationPort())
}

func endText(address string, port uint32) string {
	return net.JoinHostPort(address, strconv.FormatUint(uint64(port), 10))
}

func roleName(r proto.Role) string { return chain.Role(r).String() }
