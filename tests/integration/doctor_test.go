// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// checkup is what mbctl doctor --json prints.
type checkup struct {
	Host             string
	Errors, Warnings int
	Findings         []struct{ Check, Level, What, Do string }
}

// finds returns an error unless a check has a finding of a level that has these words.
func (c checkup) finds(check, level string, words ...string) error {
	var of []string
	for _, f := range c.Findings {
		if f.Check != check {
			continue
		}
		fits := f.Level == level
		for _, word := range words {
			fits = fits && strings.Contains(f.What+" "+f.Do, word)
		}
		if fits {
			return nil
		}
		of = append(of, fmt.Sprintf("%s: %s", f.Level, f.What))
	}
	return fmt.Errorf("doctor %s: no %s of %s with %q; %s: %q", c.Host, level, check, words, check, of)
}

// well returns an error unless it finds none.
func (c checkup) well() error {
	for _, f := range c.Findings {
		if f.Level == "error" {
			return fmt.Errorf("doctor %s: %s: %s", c.Host, f.Check, f.What)
		}
	}
	return nil
}

// doctor examines a host by way of policyd. The exit status is 1 where there is an error,
// and 0 else.
func (l *lab) doctor(host string) (c checkup, err error) {
	return readCheckup(l.command("mbctl", "--timeout", "1m", "--json", "doctor", host))
}

// doctorOn asks the agent of a host on that host.
func (l *lab) doctorOn(t *testing.T, host, socket string) (checkup, error) {
	return readCheckup(l.command("exec", host, "--", top(t, "bin", "mbctl"), "--timeout", "1m", "--json", "--agent", socket, "doctor"))
}

func readCheckup(out string, err error) (c checkup, _ error) {
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		return c, err
	}
	if wrong := json.Unmarshal([]byte(out), &c); wrong != nil {
		return c, fmt.Errorf("read mbctl doctor: %w: %s: %w", wrong, out, err)
	}
	if want := min(c.Errors, 1); status != want {
		return c, fmt.Errorf("mbctl doctor ends with %d and %d errors, want %d", status, c.Errors, want)
	}
	return c, nil
}

// What is broken in the lab is found, and is found no more once it is mended.
func TestDoctor(t *testing.T) {
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(any) >> %s\n", l.chain(2)))
	client, mb1, mb2 := l.hosts[0], l.hosts[1], l.hosts[2]
	well := func(h *labHost) {
		t.Helper()
		eventually(t, soon, func() error {
			c, err := l.doctor(h.name)
			return errors.Join(err, c.well())
		})
	}
	finds := func(h *labHost, check, level string, words ...string) {
		t.Helper()
		eventually(t, soon, func() error {
			c, err := l.doctor(h.name)
			return errors.Join(err, c.finds(check, level, words...))
		})
	}

	eventually(t, soon, func() error {
		c, err := l.doctor(mb1.name)
		for _, check := range []string{"module", "nf", "policyd", "policy", "clock", "certificate", "keys", "neighbours", "mtu", "syn"} {
			err = errors.Join(err, c.finds(check, "ok"))
		}
		if c.finds("mtu", "warning") == nil || c.finds("mtu", "ok", "1500 bytes") != nil {
			err = errors.Join(err, fmt.Errorf("not every neighbour, of both families, answers as long a packet as the link takes: %+v", c.Findings))
		}
		return errors.Join(err, c.well())
	})
	eventually(t, soon, func() error {
		own, err := l.doctorOn(t, mb1.name, mb1.Socket)
		if own.Host != mb1.name {
			err = errors.Join(err, fmt.Errorf("on %s itself it is called %q", mb1.name, own.Host))
		}
		return errors.Join(err, own.well())
	})

	mb1.set(t, "ipv4/conf/left/rp_filter", "1")
	finds(mb1, "rp_filter", "warning", "left", "sysctl -w")

	// The link's other end takes less, and a veth tells nobody what it drops.
	mb1.ip(t, "link set left mtu 1400")
	finds(client, "mtu", "error", "1500 bytes", mb1.Address.String())
	finds(client, "mtu", "error", "1500 bytes", mb1.Address6.String())
	mb1.ip(t, "link set left mtu 1500")
	well(client)

	// A link behind the next host takes less, and that host says so.
	mb1.ip(t, "link set right mtu 1400")
	finds(client, "mtu", "warning", "1400 bytes", mb2.Address.String())
	finds(client, "mtu", "warning", "1400 bytes", mb2.Address6.String())
	mb1.ip(t, "link set right mtu 1500")

	l.run(t, "agent", mb2.name, "kill9")
	t.Cleanup(func() {
		if t.Failed() {
			_, _ = l.command("agent", mb2.name, "start") // unless it runs
		}
	})
	finds(mb1, "neighbours", "error", mb2.Address.String())
	finds(mb2, "agent", "error", "not connected")
	l.run(t, "agent", mb2.name, "start")
	well(mb1)
	well(mb2)
}
