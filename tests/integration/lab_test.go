// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mbchain/genl"
)

// labMiddleboxes is how many the lab has: as many as the longest chain that a
// test wants. Shorter chains use the first of them; the others route.
const labMiddleboxes = 5

// lab is the topology of tests/lab, with all daemons.
type lab struct {
	hosts   []*labHost // client, middleboxes, server
	policyd string     // name of its host
	program string     // tests/lab
	version uint64     // of the policy applied last
	rules   string     // of it
}

// labHost is a host with an agent.
type labHost struct {
	*host
	Address  netip.Addr
	Address6 netip.Addr
	Socket   string
	Links    []struct{ Interface string }
}

// of is the lab with the addresses of one family.
func (l *lab) of(f family) *lab {
	same := *l
	same.hosts = nil
	for _, h := range l.hosts {
		other, at := *h, *h.host
		other.host = &at
		if at.addr = h.Address; f.number == ipv6.number {
			at.addr = h.Address6
		}
		same.hosts = append(same.hosts, &other)
	}
	return &same
}

// theLab is up from the first test that needs it to the end of all.
var theLab struct {
	sync.Mutex
	lab *lab
	err error
}

// useLab brings the lab up if need be, and waits until no session is left in
// it.
func useLab(t *testing.T) *lab {
	t.Helper()
	hint(t)
	theLab.Lock()
	defer theLab.Unlock()
	if theLab.lab == nil && theLab.err == nil {
		theLab.lab, theLab.err = openLab(t)
	}
	if theLab.err != nil {
		t.Fatalf("bring up the lab: %v", theLab.err)
	}
	l := theLab.lab
	t.Cleanup(func() {
		if t.Failed() {
			l.quote(t)
		}
	})
	quiet(t) // a device's queue has room for all that TCP sends at once
	l.configure(t)
	awaitSessions(t, 0, l.all()...)
	return l
}

// quote shows the last that policyd said, and what agents found worth a warning.
func (l *lab) quote(t *testing.T) {
	if text, err := l.command("logs", l.policyd); err == nil {
		t.Logf("%s: %s", l.policyd, lastLines(text, 8))
	}
	if text, err := l.command("mbctl", "migrate", "list"); err == nil {
		t.Logf("migrations: %s", lastLines(text, 8))
	}
	for _, h := range l.hosts {
		text, err := l.command("logs", h.name)
		if err != nil {
			t.Log(err)
		}
		warnings := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
			return !strings.Contains(line, "level=WARN") && !strings.Contains(line, "level=ERROR")
		})
		for _, line := range warnings[max(0, len(warnings)-3):] {
			t.Logf("%s: %s", h.name, line)
		}
	}
}

// configure sets what every host begins with, but for sessions that end soon.
func (l *lab) configure(t *testing.T) {
	t.Helper()
	config := defaults
	config.CloseTimeout = 100 * time.Millisecond
	for _, h := range l.hosts {
		if err := h.module.SetConfig(t.Context(), config); err != nil {
			t.Fatalf("configure %s: %v", h.name, err)
		}
	}
}

func openLab(t *testing.T) (*lab, error) {
	l := &lab{program: top(t, "tests", "lab")}
	begun := time.Now()
	if _, err := l.command("up", "chain", "--middleboxes", strconv.Itoa(labMiddleboxes)); err != nil {
		return nil, err
	}
	t.Logf("lab is up after %v", time.Since(begun).Round(time.Millisecond))
	text, err := l.command("hosts", "--json")
	if err != nil {
		return nil, err
	}
	var found struct {
		Hosts []struct {
			Name, Role string
			labHost
		}
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return nil, fmt.Errorf("read tests/lab hosts: %w", err)
	}
	for _, f := range found.Hosts {
		if f.Role == "policyd" {
			l.policyd = f.Name
			continue
		}
		h := f.labHost
		if h.host, err = newHost(f.Name, f.Address); err != nil {
			return nil, err
		}
		l.hosts = append(l.hosts, &h)
	}
	if len(l.hosts) != labMiddleboxes+2 {
		return nil, fmt.Errorf("tests/lab hosts: %d with an agent, want %d", len(l.hosts), labMiddleboxes+2)
	}
	return l, nil
}

func closeLab() error {
	theLab.Lock()
	defer theLab.Unlock()
	if theLab.lab == nil {
		return nil
	}
	_, err := theLab.lab.command("down")
	return err
}

// command runs tests/lab.
func (l *lab) command(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), late)
	defer cancel()
	out, err := exec.CommandContext(ctx, l.program, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), fmt.Errorf("run tests/lab %s: %w: %s%s", strings.Join(args, " "), err, out, exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("run tests/lab %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}

// run is command that must succeed.
func (l *lab) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := l.command(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// mbctl asks policyd and reads the answer's JSON into answer.
func (l *lab) mbctl(t *testing.T, answer any, args ...string) {
	t.Helper()
	out := l.run(t, append([]string{"mbctl", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		t.Fatalf("read mbctl %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// apply makes rules the policy of the lab, and waits until every host runs it.
// The types mb1, mb2, ... have these middleboxes as their only instances.
func (l *lab) apply(t *testing.T, rules string) {
	t.Helper()
	if rules == l.rules && l.runPolicy(t) == nil {
		return // each question to policyd costs a process
	}
	file := l.write(t, rules)
	var applied struct{ Version uint64 }
	l.mbctl(t, &applied, "--timeout", "1m", "policy", "apply", "--wait", file)
	l.version, l.rules = applied.Version, rules
	l.awaitPolicy(t)
}

// write puts the types and rules into a file.
func (l *lab) write(t *testing.T, rules string) string {
	t.Helper()
	var b strings.Builder
	for _, mb := range l.hosts[1 : len(l.hosts)-1] {
		fmt.Fprintf(&b, "type %s { %s %s %s }\n", mb.name, mb.name, mb.Address, mb.Address6)
	}
	b.WriteString(rules)
	file := filepath.Join(t.TempDir(), "test.policy")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// awaitPolicy waits until the module of every host holds the newest policy.
func (l *lab) awaitPolicy(t *testing.T) {
	t.Helper()
	eventually(t, soon, func() error { return l.runPolicy(t) })
}

// runPolicy says which host does not hold the newest policy.
func (l *lab) runPolicy(t *testing.T) error {
	for _, h := range l.hosts {
		info, err := h.module.Info(t.Context())
		if err != nil {
			return fmt.Errorf("ask %s: %w", h.name, err)
		}
		if info.PolicyVersion != l.version || len(info.KeyIDs) == 0 {
			return fmt.Errorf("%s runs policy %d with %d keys, want policy %d with a key",
				h.name, info.PolicyVersion, len(info.KeyIDs), l.version)
		}
	}
	return nil
}

func (l *lab) client() *host { return l.hosts[0].host }
func (l *lab) server() *host { return l.hosts[len(l.hosts)-1].host }

// middleboxes are the hosts between client and server.
func (l *lab) middleboxes() []*host { return l.all()[1 : len(l.hosts)-1] }

// all are the hosts from client to server.
func (l *lab) all() []*host {
	hosts := make([]*host, len(l.hosts))
	for i, h := range l.hosts {
		hosts[i] = h.host
	}
	return hosts
}

// chain is the text of a chain through the first n middleboxes.
func (l *lab) chain(n int) string {
	var names []string
	for _, mb := range l.middleboxes()[:n] {
		names = append(names, mb.name)
	}
	return "{" + strings.Join(names, " -> ") + "}"
}

// chained fails the test unless each of the hosts, and no other of the lab,
// carries the session.
func (l *lab) chained(t *testing.T, s genl.Session, path ...*host) {
	t.Helper()
	chained(t, l.all(), s, path)
}
