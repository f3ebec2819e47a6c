// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// The clock of all hosts jumps forward by an hour, and back by two, so that certificates
// are from the future. Outcome: nothing is lost and nobody elects anew for it. A connection
// flows on, new ones are chained, over UDP too; a policy reaches all hosts; and an agent
// and a policyd that are started then, and have to know each other anew, do.
func TestClockJumps(t *testing.T) {
	if os.Getenv("MBCHAIN_REQUIRE_KERNEL") != "1" {
		t.Skip("the clock is set in a guest only")
	}
	l := useLab(t)
	t.Cleanup(func() { l.forget(t) })
	rules := fmt.Sprintf("match(dstport=5001) >> %s\nmatch(dstport=53) >> %[1]s\n", l.chain(2))
	l.apply(t, rules)
	client, server, mb := l.client(), l.server(), l.middleboxes()
	server.echo(t, 5001)
	l.serveNames(t)
	old := client.connect(t, 0, server.port(5001))
	talk(t, old, 10_000)
	path := []*host{client, mb[0], mb[1], server}

	port := uint16(40080)
	for i, jump := range []time.Duration{time.Hour, -2 * time.Hour} {
		setClock(t, jump)
		t.Run(fmt.Sprintf("by %v", jump), func(t *testing.T) {
			talk(t, old, 10_000)
			again := func() {
				c := client.connect(t, 0, server.port(5001))
				talk(t, c, 10_000)
				l.chained(t, client.session(t, superOf(c)), path...)
				_ = c.Close()
				port++
				eventually(t, soon, func() error { return l.ask(port, patient) })
				l.wantSetup(t, port, chain.SetupDone)
			}
			again()
			l.apply(t, rules+fmt.Sprintf("match(dstport=%d) >> {mb1}\n", 5002+i))
			for _, name := range []string{mb[0].name, l.policyd} {
				l.run(t, "agent", name, "kill9")
				l.run(t, "agent", name, "start")
			}
			l.apply(t, rules+fmt.Sprintf("match(dstport=%d) >> {mb2}\n", 5002+i))
			again()
			talk(t, old, 10_000)
		})
	}
	l.chained(t, client.session(t, superOf(old)), path...)
	_ = old.Close()
}

// setClock makes the clock jump, and back at the end of the test.
func setClock(t *testing.T, jump time.Duration) {
	t.Helper()
	set := func(by time.Duration) error {
		var now unix.Timespec
		err := unix.ClockGettime(unix.CLOCK_REALTIME, &now)
		now.Sec += int64(by / time.Second)
		return errors.Join(err, unix.ClockSettime(unix.CLOCK_REALTIME, &now))
	}
	if err := set(jump); err != nil {
		t.Fatalf("set the clock: %v", err)
	}
	t.Cleanup(func() {
		if err := set(-jump); err != nil {
			t.Errorf("set the clock: %v", err)
		}
	})
}
