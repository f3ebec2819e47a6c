// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
)

// patient is how many seconds dig waits for what should come: as long as the
// module waits for the agents, and a little.
const patient = 6

// The agents of the lab set the sessions of a name server and of iperf3 up,
// although the rule matches what they say to each other and to policyd too.
func TestAgentsSetDatagramsUp(t *testing.T) {
	useLab(t).apply(t, fmt.Sprintf("match(any) >> %s\n", theLab.lab.chain(2)))
	rows := []struct {
		mtu      int
		offloads string
		sample   family // that meets this without a soak
	}{
		{1500, "on", ipv6}, {9000, "off", family{}}, {1500, "off", family{}}, {9000, "on", family{}},
	}
	for _, row := range rows {
		for _, f := range []family{ipv4, ipv6} {
			if soaking() || f.name == row.sample.name {
				t.Run(fmt.Sprintf("%s, MTU %d, offloads %s", f.name, row.mtu, row.offloads), func(t *testing.T) {
					l := useLab(t).of(f)
					l.mtu(t, row.mtu)
					l.offloads(t, row.offloads)
					t.Cleanup(func() {
						l.forget(t)
						l.mtu(t, 1500)
						l.offloads(t, "on")
					})
					l.setDatagramsUp(t)
				})
			}
		}
	}
}

// setDatagramsUp has a name server asked and iperf3 send datagrams.
func (l *lab) setDatagramsUp(t *testing.T) {
	t.Helper()
	names := l.serveNames(t)
	l.server().start(t, "iperf3", "--server", "--bind", l.server().addr.String())

	const port = 40053
	for range 2 { // the second one is not the first of its session
		if err := l.ask(port, patient); err != nil {
			t.Fatal(err)
		}
	}
	l.checkOutOfBand(t, fmt.Sprintf("proto=udp & srcport=%d", port))
	asked, err := os.ReadFile(names)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("query[A] www.chain.test from %v\n", l.client().addr); strings.Count(string(asked), want) != 2 {
		t.Errorf("the name server has not been asked twice by %v:\n%s", l.client().addr, asked)
	}

	l.stream(t)
	l.checkOutOfBand(t, "proto=udp & dstport=5201")
}

// While the agent of a middlebox is dead, sessions that there are flow on, and
// new ones are blocked or go past it, as their rule says; when it is back they are
// chained again.
func TestDatagramsWithoutAnAgent(t *testing.T) {
	const old, blocked, bypassed, again = 40060, 40061, 40062, 40063
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=53 & srcport=%d) >> %s on-failure bypass\nmatch(dstport=53) >> %[2]s\n", bypassed, l.chain(2)))
	t.Cleanup(func() { l.forget(t) })
	families := []*lab{l.of(ipv4), l.of(ipv6)}
	for _, of := range families {
		of.serveNames(t)
		if err := of.ask(old, patient); err != nil {
			t.Fatal(err)
		}
	}

	mb1 := l.middleboxes()[0].name
	l.run(t, "agent", mb1, "kill9")
	hasty := defaults
	hasty.SetupTimeout = time.Second
	if err := l.client().module.SetConfig(t.Context(), hasty); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			_, _ = l.command("agent", mb1, "start") // unless it runs
		}
	})
	type answer struct {
		lab              *lab
		blocked, passing error
	}
	answers := make(chan answer, len(families))
	for _, of := range families {
		if err := of.ask(old, patient); err != nil {
			t.Errorf("an old session: %v", err)
		}
		go func() {
			answers <- answer{of, of.ask(blocked, 2), of.ask(bypassed, patient)}
		}()
	}
	for range families {
		a := <-answers
		if a.blocked == nil {
			t.Errorf("a session of %v is answered without mb1's agent, want it blocked", a.lab.client().addr)
		}
		if a.passing != nil {
			t.Errorf("a session that may go past mb1: %v", a.passing)
		}
		a.lab.wantSetup(t, blocked, chain.SetupBlocked)
		a.lab.wantSetup(t, bypassed, chain.SetupBypassed)
	}

	l.configure(t)
	l.run(t, "agent", mb1, "start")
	for _, of := range families {
		eventually(t, soon, func() error { return of.ask(again, patient) })
		of.wantSetup(t, again, chain.SetupDone)
	}
}

// serveNames runs a name server on the server and returns the file that it logs
// to.
func (l *lab) serveNames(t *testing.T) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "dnsmasq.log")
	l.server().start(t, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root",
		"--no-resolv", "--no-hosts", "--host-record=www.chain.test,192.0.2.80", "--log-queries", "--log-facility="+log,
		"--bind-interfaces", "--listen-address="+l.server().addr.String())
	eventually(t, soon, func() error {
		if l.server().run(t, "ss", "-Hlun", "src", "["+l.server().addr.String()+"]:53") == "" {
			return errors.New("the name server does not listen")
		}
		return nil
	})
	return log
}

// ask asks it for a name, from a port of the client, and waits for so many
// seconds.
func (l *lab) ask(port uint16, patience int) error {
	got, err := l.client().output(exec.Command("dig", "@"+l.server().addr.String(), "-b", fmt.Sprintf("%v#%d", l.client().addr, port),
		"+short", "+tries=1", fmt.Sprintf("+timeout=%d", patience), "www.chain.test", "A"))
	if err == nil && got != "192.0.2.80" {
		err = fmt.Errorf("ask for a name from port %d: answer %q", port, got)
	}
	return err
}

// stream sends datagrams for a second, and compares what iperf3 counts at both
// ends.
func (l *lab) stream(t *testing.T) {
	t.Helper()
	out := l.client().run(t, "iperf3", "--client", l.server().addr.String(), "--udp", "--bitrate", "10M", "--time", "1", "--json")
	var report struct {
		End struct {
			Sum struct {
				Packets     int
				LostPackets int `json:"lost_packets"`
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("read iperf3's report: %v: %s", err, lastLines(out, 5))
	}
	if sum := report.End.Sum; sum.Packets < 100 || sum.LostPackets > sum.Packets/10 {
		t.Errorf("iperf3 sent %d datagrams and lost %d, want 100 or more and hardly any lost", sum.Packets, sum.LostPackets)
	}
}

// checkOutOfBand checks what mbctl tells of the session that a predicate matches.
func (l *lab) checkOutOfBand(t *testing.T, match string) {
	t.Helper()
	type session struct {
		Setup    string
		Complete bool
		Hosts    []string
	}
	var listed struct {
		Sessions []struct {
			Setup    string
			Complete bool
			Hosts    []struct{ Name string }
		}
	}
	l.mbctl(t, &listed, "session", "list", "--match", match)
	var got []session
	for _, s := range listed.Sessions {
		var names []string
		for _, h := range s.Hosts {
			names = append(names, h.Name)
		}
		got = append(got, session{s.Setup, s.Complete, names})
	}
	mb := l.middleboxes()
	want := []session{{"out-of-band", true, []string{l.client().name, mb[0].name, mb[1].name, l.server().name}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sessions of %s (-want +got):\n%s", match, diff)
	}
}

// wantSetup checks how the client's session from a port to the name server stands.
func (l *lab) wantSetup(t *testing.T, port uint16, want chain.Setup) {
	t.Helper()
	super := chain.FiveTuple{
		Source: l.client().port(port), Destination: l.server().port(53), Protocol: chain.ProtocolUDP,
	}
	if s := l.client().session(t, super); s.Setup != want {
		t.Errorf("%v is %v, want %v", super, s.Setup, want)
	}
}

// forget deletes the UDP sessions of all hosts, which would stay for a while. It
// is for the end of a test.
func (l *lab) forget(t *testing.T) {
	t.Helper()
	ctx := context.Background() // the test's own is over
	for _, h := range l.all() {
		sessions, err := h.module.Sessions(ctx)
		if err != nil {
			t.Errorf("list sessions of %s: %v", h.name, err)
		}
		for _, s := range sessions {
			if s.Super.Protocol == chain.ProtocolUDP {
				_ = h.module.DeleteSession(ctx, s.ID) // it may end by itself
			}
		}
	}
}
