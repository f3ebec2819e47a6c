// SPDX-License-Identifier: Apache-2.0

package main

import (
	"golang.org/x/sys/unix"

	"mbchain/chain"
)

const otherPort = 8000 // of connections that are not measured

// setUp is the client's host that opens connections.
type setUp struct {
	family *family
	module bool
	rules  ruleSet
	match  bool // and one of the rules matches
}

// measure is what a SYN costs that a raw socket sends, through the module and a
// veth.
func (s setUp) measure(m *meter) error {
	if err := topology(); err != nil {
		return err
	}
	if err := m0.drop(); err != nil {
		return err
	}
	if s.module {
		if err := configure(client, s.family, s.rules); err != nil {
			return err
		}
	}
	raw, err := newRawSocket(s.family)
	if err != nil {
		return err
	}
	defer unix.Close(raw)
	n := m.packets / 10 // in a window; each is a new connection
	packets := make([][]byte, n*(m.windows+1))
	for i := range packets {
		syn := segment{
			tuple: flowTuple(s.family.client, s.family.server, httpPort, i, chain.ProtocolTCP),
			flags: flagSYN, seq: clientISN, options: synOptions,
		}
		packets[i] = syn.packet()
	}
	msgs := newMessages(packets, rawAddr(s.family.server))
	err = m.measure(n, func() error { return msgs.send(raw, n, nil) }, nothing, nothing)
	if err != nil || !s.match {
		return err
	}
	return awaitSessions(client, len(packets))
}

func nothing() error { return nil }
