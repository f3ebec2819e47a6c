// SPDX-License-Identifier: Apache-2.0

package push

import (
	"time"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

// Counts is how many hosts are in which condition.
type Counts struct {
	Known     int
	Connected int
	InSync    int // connected, and running the newest policy
}

// Counts returns how many hosts there are.
func (h *Hub) Counts() Counts {
	var c Counts
	h.each(func(_ store.Host, e host) {
		c.Known++
		if e.stream != nil {
			c.Connected++
			if e.inSync && e.offered.version == h.domain.State.Policy.Version {
				c.InSync++
			}
		}
	})
	return c
}

// Policies returns what each host says of its policy, by name.
func (h *Hub) Policies() []*proto.HostPolicy {
	var list []*proto.HostPolicy
	h.each(func(record store.Host, e host) {
		list = append(list, &proto.HostPolicy{
			Host:           record.Name,
			Connected:      e.stream != nil,
			OfferedVersion: e.offered.version,
			RunningVersion: e.running,
			Error:          e.refusal,
			Rules:          e.offered.rules,
		})
	})
	return list
}

// Hosts returns every known host, by name.
func (h *Hub) Hosts() []*proto.Host {
	now := time.Now()
	var list []*proto.Host
	h.each(func(record store.Host, e host) {
		seen := e.lastSeen.UnixMilli()
		switch {
		case e.stream != nil:
			seen = now.UnixMilli() // a dead connection ends within seconds
		case e.lastSeen.IsZero():
			seen = record.ChangedUnixMS // not seen since policyd started
		}
		to := &proto.Host{
			Name:           record.Name,
			NfTypes:        record.NFTypes,
			Gateway:        record.Gateway,
			Connected:      e.stream != nil,
			LastSeenUnixMs: seen,
			Status:         e.status,
		}
		for _, a := range record.Addresses {
			to.Addresses = append(to.Addresses, a.String())
		}
		list = append(list, to)
	})
	return list
}

// each calls f for every known host in the order of their names, with h.mu
// held. What is not known of a host beside its record is zero.
func (h *Hub) each(f func(store.Host, host)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.domain == nil {
		return
	}
	for _, record := range h.domain.State.Hosts {
		var e host
		if known := h.hosts[record.Name]; known != nil {
			e = *known
		}
		f(record, e)
	}
}
