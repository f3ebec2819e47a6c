// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// prepare makes the hosts, and sets up what the scenario says.
func (s *scenario) prepare() error {
	if err := topology(); err != nil {
		return err
	}
	if err := sh(middle, s.setUp); err != nil {
		return err
	}
	if err := sh(server, s.remote); err != nil {
		return err
	}
	if !s.module || s.idle {
		return nil
	}
	if err := configure(middle, s.family, s.rules); err != nil {
		return err
	}
	return attachNF(middle, s.nf)
}

// measure is the cost of a packet from when it reaches the middle host to when
// it reaches the server.
func (s scenario) measure(m *meter) error {
	if err := s.prepare(); err != nil {
		return err
	}
	if err := c0.drop(); err != nil {
		return err
	}
	if s.beside > 0 {
		if err := s.others(); err != nil {
			return err
		}
	}
	fl, err := s.flows()
	if err != nil {
		return err
	}
	defer fl.close()
	if s.remote != "" {
		if err := prime(fl); err != nil {
			return err
		}
	}
	if err := s0.drop(); err != nil {
		return err
	}
	if err := s.connect(fl); err != nil {
		return err
	}
	return s.send(m, fl)
}

// prime lets a tunnel come up.
func prime(fl *flows) error {
	count, err := received(s0)
	if err != nil {
		return err
	}
	before, err := count()
	if err != nil {
		return err
	}
	if err := fl.messages().send(fl.in.fd, batch, nil); err != nil {
		return err
	}
	return await(count, before+batch)
}

func (s *scenario) flows() (*flows, error) {
	to := s.family.server
	if s.to.IsValid() {
		to = s.to
	}
	protocol := s.protocol
	if protocol == 0 {
		protocol = chain.ProtocolTCP
	}
	return newFlows(s.family, to, s.sessions, protocol)
}

func (s *scenario) connect(fl *flows) error {
	if !s.open {
		return nil
	}
	var header func(int) []byte
	switch {
	case s.chain && s.protocol == chain.ProtocolUDP:
		if err := fl.chainByAgent(s.family.middle, s.family.server); err != nil {
			return err
		}
	case s.chain:
		header = fl.chainThrough(s.family.middle, s.family.server)
	}
	if err := fl.open(header); err != nil {
		return err
	}
	if s.chain {
		return awaitSessions(middle, s.sessions+s.beside)
	}
	return nil
}

// others opens sessions whose packets are not measured.
func (s *scenario) others() error {
	fl, err := newFlows(s.family, s.family.server, s.beside, chain.ProtocolTCP)
	if err != nil {
		return err
	}
	defer fl.close()
	for i := range fl.seg {
		t := &fl.seg[i].tuple
		t.Destination = netip.AddrPortFrom(t.Destination.Addr(), 8000)
	}
	if err := s0.drop(); err != nil {
		return err
	}
	if err := fl.open(fl.chainThrough(s.family.middle, s.family.server)); err != nil {
		return err
	}
	if err := awaitSessions(middle, s.beside); err != nil {
		return err
	}
	return command("tc", "-n", server, "qdisc", "del", "dev", "s0", "clsact")
}

// send takes the samples, and fails if a packet does not come through.
func (s *scenario) send(m *meter, fl *flows) error {
	count, err := received(s0)
	if err != nil {
		return err
	}
	expected, err := count()
	if err != nil {
		return err
	}
	msgs := fl.messages()
	there := func() error {
		return msgs.send(fl.in.fd, m.packets, func() error {
			expected += batch
			if !s.async {
				return nil
			}
			return await(count, expected)
		})
	}
	divert := func() error {
		if err := await(count, expected); err != nil {
			return err
		}
		return m0.drop()
	}
	aside := func() error { return msgs.send(fl.in.fd, m.packets, nil) }
	if s.pktgen {
		m.lasted = generated
		there = func() error {
			expected += uint64(m.packets)
			if err := fl.generate(m.packets); err != nil {
				return err
			}
			return await(count, expected)
		}
		aside = func() error { return fl.generate(m.packets) }
	}
	return m.measure(m.packets, there, divert, aside)
}

// await waits until a counter has come to n. The kernel's threads get the
// processor meanwhile.
func await(count func() (uint64, error), n uint64) error {
	for deadline := time.Now().Add(patience); ; {
		got, err := count()
		if err != nil {
			return err
		}
		if got >= n {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("send packets: %d did not reach the server", n-got)
		}
		if _, _, errno := unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0); errno != 0 {
			return fmt.Errorf("yield: %w", errno)
		}
	}
}
