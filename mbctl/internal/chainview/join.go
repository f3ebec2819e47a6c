// SPDX-License-Identifier: Apache-2.0

package chainview

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"mbchain/proto"
)

// Join groups records by session and orders each group into a chain. names
// gives the host that has an address; it may be nil. The oldest chain comes
// first, and the result does not depend on the order of the records.
func Join(records []*proto.Session, names map[string]string) []Chain {
	groups := make(map[string][]*proto.Session)
	for _, r := range records {
		id := hex.EncodeToString(r.GetId())
		groups[id] = append(groups[id], r)
	}
	chains := make([]Chain, 0, len(groups))
	for id, group := range groups {
		j := joiner{names: names, chain: Chain{ID: id}}
		chains = append(chains, j.join(group))
	}
	slices.SortFunc(chains, func(a, b Chain) int {
		return cmp.Or(cmp.Compare(b.First().GetAgeMs(), a.First().GetAgeMs()), cmp.Compare(a.ID, b.ID))
	})
	return chains
}

// joiner makes one chain.
type joiner struct {
	names map[string]string
	chain Chain
	route []string // addresses right of the leftmost record, server last
}

func (j *joiner) note(format string, args ...any) {
	j.chain.Notes = append(j.chain.Notes, fmt.Sprintf(format, args...))
}

func (j *joiner) join(group []*proto.Session) Chain {
	places := j.seat(j.oneEach(group))
	if len(places) == 0 {
		return j.chain
	}
	last := slices.Max(slices.Collect(maps.Keys(places)))
	j.route = places[last].Hops
	for place := last; place >= 0; place-- {
		j.chain.Hosts = append(j.chain.Hosts, j.host(place, places[place]))
	}
	j.addClient()
	j.addServer()
	j.link()
	j.describe()
	j.check()
	return j.chain
}

// oneEach keeps one record of each host. A host that was asked twice has the
// newer answer in the record that counted more.
func (j *joiner) oneEach(group []*proto.Session) []*proto.Session {
	byHost := make(map[string]*proto.Session)
	slices.SortFunc(group, compareRecords)
	for _, r := range group {
		if len(r.Hops) > maxHops {
			j.note("%s lists %d hosts right of it, more than there can be: left out", r.Host, len(r.Hops))
			continue
		}
		old, twice := byHost[r.Host]
		if twice && len(old.Hops) != len(r.Hops) {
			j.note("%s reports the session twice, %s and %s", r.Host, placeText(len(old.Hops)), placeText(len(r.Hops)))
		}
		byHost[r.Host] = r
	}
	return slices.SortedFunc(maps.Values(byHost), compareRecords)
}

// compareRecords orders records so that the newer one of a host comes later.
func compareRecords(a, b *proto.Session) int {
	return cmp.Or(
		cmp.Compare(a.Host, b.Host),
		cmp.Compare(packets(a), packets(b)),
		cmp.Compare(a.AgeMs, b.AgeMs),
		cmp.Compare(len(b.Hops), len(a.Hops)),
	)
}

func packets(r *proto.Session) uint64 {
	return r.GetLeft().GetInPackets() + r.GetLeft().GetOutPackets() +
		r.GetRight().GetInPackets() + r.GetRight().GetOutPackets()
}

// seat gives each place to one record: the one whose host has the address
// that others list for the place, else the first by name.
func (j *joiner) seat(records []*proto.Session) map[int]*proto.Session {
	expected := make(map[int]string)
	for _, r := range records {
		for i, addr := range r.Hops {
			if name := j.names[addr]; name != "" {
				expected[len(r.Hops)-1-i] = name
			}
		}
	}
	places := make(map[int]*proto.Session)
	for _, r := range records {
		place := len(r.Hops)
		old, taken := places[place]
		switch {
		case !taken:
			places[place] = r
			continue
		case old.Host != expected[place] && r.Host == expected[place]:
			places[place], r, old = r, old, r
		}
		j.note("%s and %s both stand %s: %s is left out", old.Host, r.Host, placeText(place), r.Host)
	}
	return places
}

func (j *joiner) host(place int, r *proto.Session) Host {
	h := Host{Name: r.GetHost(), Record: r}
	if place < len(j.route) {
		h.Address = j.route[len(j.route)-1-place]
	}
	switch {
	case r != nil && r.Role != proto.Role_ROLE_UNSPECIFIED:
		h.Role = r.Role
	case place == 0:
		h.Role = proto.Role_ROLE_SERVER
	default:
		h.Role = proto.Role_ROLE_MIDDLE
	}
	switch {
	case h.Address != "":
	case r.GetLeft() != nil:
		h.Address = r.Left.GetTuple().GetDestination()
	case r.GetRight() != nil:
		h.Address = r.Right.GetTuple().GetSource()
	}
	if h.Name == "" {
		h.Name = j.names[h.Address]
	}
	return h
}

// addClient puts a client without a record in front of the leftmost host.
func (j *joiner) addClient() {
	first := &j.chain.Hosts[0]
	first.Gateway = j.standsIn(first.Record)
	if first.Role == proto.Role_ROLE_CLIENT && !first.Gateway {
		return
	}
	if first.Gateway {
		first.Role = proto.Role_ROLE_MIDDLE
	}
	addr := first.Record.GetSuper().GetSource()
	client := Host{Address: addr, Name: j.names[addr], Role: proto.Role_ROLE_CLIENT, Agentless: first.Gateway}
	j.chain.Hosts = slices.Insert(j.chain.Hosts, 0, client)
}

// standsIn says whether a record at the client's place is that of a gateway: it
// speaks for an address that is none of its own.
func (j *joiner) standsIn(r *proto.Session) bool {
	client := r.GetSuper().GetSource()
	return r.GetRole() == proto.Role_ROLE_CLIENT && r.GetRight() != nil &&
		r.Right.GetTuple().GetSource() != client && j.names[client] != r.Host
}

// addServer puts a server without mbchain behind the middlebox that speaks to
// it.
func (j *joiner) addServer() {
	last := j.chain.Hosts[len(j.chain.Hosts)-1]
	right := last.Record.GetRight()
	if last.Role != proto.Role_ROLE_MIDDLE || right == nil || len(last.Record.Hops) > 0 {
		return
	}
	addr := right.GetTuple().GetDestination()
	server := Host{Address: addr, Name: j.names[addr], Role: proto.Role_ROLE_SERVER, Agentless: true}
	j.chain.Hosts = append(j.chain.Hosts, server)
}

// link makes the subsessions between neighbours.
func (j *joiner) link() {
	hosts := j.chain.Hosts
	for i := range len(hosts) - 1 {
		j.chain.Links = append(j.chain.Links, Link{
			Left:  hosts[i].Record.GetRight(),
			Right: hosts[i+1].Record.GetLeft(),
		})
	}
	// Without the client's record nobody knows what is between the client
	// and the first host that did report, unless that host hears the client.
	switch {
	case len(hosts) > 1 && hosts[1].Gateway:
		j.chain.Links[0].Plain = true
	case len(hosts) > 1 && hosts[0].Record == nil:
		link := &j.chain.Links[0]
		link.Gap = link.Right.GetTuple().GetSource() != hosts[0].Address
	}
}

// describe fills in what the leftmost record says of the whole session.
func (j *joiner) describe() {
	first := j.chain.First()
	j.chain.Super = first.GetSuper()
	j.chain.Rule = first.GetRule()
	j.chain.PolicyVersion = first.GetPolicyVersion()
}

// placeText says where a host stands that has so many hosts to its right.
func placeText(place int) string {
	switch place {
	case 0:
		return "at the server's place"
	case 1:
		return "one hop before the server"
	default:
		return fmt.Sprintf("%d hops before the server", place)
	}
}
