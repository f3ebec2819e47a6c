// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
)

// What explain says beforehand is what sessions get.
func TestExplainTellsTheTruth(t *testing.T) {
	const port = 5001
	l := useLab(t)
	mbs := l.middleboxes()
	l.apply(t, fmt.Sprintf(`
		type firewall { %s weight 1, %s weight 3, %s weight 2 }
		type ids { %s, %s }
		match(dstport=5002) >> {mb1}
		match(dstport=5001 & srcport=44000-44009) >> {firewall}
		match(dstport=5001) >> {firewall -> ids}
	`, mbs[0].addr, mbs[1].addr, mbs[2].addr, mbs[3].addr, mbs[4].addr))
	l.server().echo(t, port)

	paths := make(map[string]int)
	for from := uint16(44000); from < 44020; from += uint16(sampled(2, 1)) {
		c := l.client().connect(t, from, l.server().port(port))
		super := superOf(c)
		var explained struct {
			Matched bool
			Rule    uint32
			Problem string
			Hops    []struct {
				Type    string
				Address netip.Addr
			}
		}
		l.mbctl(t, &explained, "policy", "explain", super.Source.String(), super.Destination.String())
		var want []netip.Addr
		for _, hop := range explained.Hops {
			want = append(want, hop.Address)
		}
		if !explained.Matched || explained.Problem != "" {
			t.Errorf("explain of %v: matched %v, problem %q", super, explained.Matched, explained.Problem)
		}

		s := l.client().session(t, super)
		if s.Rule != explained.Rule || !slices.Equal(s.Hops, want) {
			t.Errorf("%v has rule %d and hops %v, explained were rule %d and %v", super, s.Rule, s.Hops, explained.Rule, want)
		}
		if s.PolicyVersion != l.version {
			t.Errorf("%v was set up by policy %d, want %d", super, s.PolicyVersion, l.version)
		}
		var path []*host
		for _, h := range l.all() {
			if h == l.client() || slices.Contains(s.Hops, h.addr) {
				path = append(path, h)
			}
		}
		l.chained(t, s, path...)
		paths[fmt.Sprint(s.Rule, s.Hops)]++
		talk(t, c, 1000)
		_ = c.Close()
	}
	if len(paths) < int(sampled(3, 4)) {
		t.Errorf("the sessions took %d different paths, want more: %v", len(paths), paths)
	}
}

// A new policy is for new sessions; live ones keep their chain.
func TestPolicyIsReplaced(t *testing.T) {
	const port = 5001
	l := useLab(t)
	client, server, mbs := l.client(), l.server(), l.middleboxes()
	server.echo(t, port)

	policies := []struct {
		rules string
		want  []netip.Addr
	}{
		{"match(dstport=5001) >> {mb1}\n", hops(mbs[0], server)},
		{"match(dstport=5001) >> {mb3 -> mb2}\n", hops(mbs[2], mbs[1], server)},
		{"match(dstport=5001) >> {}\n", nil},
		{"# nothing\n", nil},
		{"match(any) >> {mb5}\n", hops(mbs[4], server)},
	}
	type connection struct {
		super chain.FiveTuple
		talk  func()
		want  []netip.Addr
	}
	var conns []connection
	for _, p := range policies {
		l.apply(t, p.rules)
		c := client.connect(t, 0, server.port(port))
		conns = append(conns, connection{super: superOf(c), talk: func() { talk(t, c, 50_000) }, want: p.want})
		for _, c := range conns {
			c.talk()
			got := make(map[chain.FiveTuple][]netip.Addr)
			for _, s := range client.sessions(t) {
				got[s.Super] = s.Hops
			}
			if !slices.Equal(got[c.super], c.want) {
				t.Errorf("after %q %v goes through %v, want %v", p.rules, c.super, got[c.super], c.want)
			}
		}
	}
}

// A wrong policy changes nothing and says where it is wrong.
func TestWrongPolicyChangesNothing(t *testing.T) {
	const wrongPolicy = 4 // mbctl's exit status
	l := useLab(t)
	l.apply(t, "match(dstport=5001) >> {mb1}\n")

	type mistake struct {
		Line, Column int
		Text         string
	}
	rows := []struct {
		name   string
		source string
		want   mistake
	}{
		{"unknown field", "type a { 10.0.0.2 }\nmatch(dstprt=80) >> {a}\n", mistake{2, 7, "match(dstprt=80) >> {a}"}},
		{"unknown type", "type a { 10.0.0.2 }\n\nmatch(dstport=80) >> {a -> b}\n", mistake{3, 28, "match(dstport=80) >> {a -> b}"}},
		{"wrong address", "type a { 10.0.0.256 }\n", mistake{1, 10, "type a { 10.0.0.256 }"}},
		{"wrong port", "type a { 10.0.0.2 }\nmatch(dstport=65536) >> {a}\n", mistake{2, 15, "match(dstport=65536) >> {a}"}},
		{"wrong range", "type a { 10.0.0.2 }\nmatch(dstport=90-80) >> {a}\n", mistake{2, 15, "match(dstport=90-80) >> {a}"}},
		{"never closed", "type a { 10.0.0.2 }\nmatch(dstport=80", mistake{2, 6, "match(dstport=80"}},
		{"good rule, then a wrong one", "type a { 10.0.0.2 }\nmatch(dstport=80) >> {a}\nnonsense\n", mistake{3, 1, "nonsense"}},
	}
	before := l.status(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "wrong.policy")
			if err := os.WriteFile(file, []byte(row.source), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := l.command("mbctl", "--json", "policy", "apply", file)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != wrongPolicy {
				t.Fatalf("apply: %v, want exit status %d", err, wrongPolicy)
			}
			var said struct {
				OK     bool
				Errors []mistake
			}
			if err := json.Unmarshal([]byte(out), &said); err != nil {
				t.Fatalf("read mbctl policy apply: %v: %s", err, out)
			}
			if said.OK || len(said.Errors) == 0 {
				t.Fatalf("apply says %s, want errors", out)
			}
			if diff := cmp.Diff(row.want, said.Errors[0]); diff != "" {
				t.Errorf("first error (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("for people", func(t *testing.T) {
		file := l.write(t, "match(dstprt=80) >> {mb1}\n")
		_, err := l.command("mbctl", "policy", "apply", file)
		for _, want := range []string{fmt.Sprintf("%s:%d:7: ", file, labMiddleboxes+1), "match(dstprt=80)", "^"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("apply says %v, want %q in it", err, want)
			}
		}
	})
	t.Run("no such file", func(t *testing.T) {
		if _, err := l.command("mbctl", "policy", "apply", "/nonexistent"); err == nil {
			t.Error("applied, want an error")
		}
	})
	t.Run("another version runs", func(t *testing.T) {
		file := l.write(t, "match(dstport=5003) >> {mb1}\n")
		if _, err := l.command("mbctl", "policy", "apply", "--if-version", fmt.Sprint(l.version+1), file); err == nil {
			t.Error("applied, want an error")
		}
	})
	if diff := cmp.Diff(before, l.status(t)); diff != "" {
		t.Errorf("they changed the domain (-before +after):\n%s", diff)
	}
}

// running is which policy runs: the domain's source, and every module's.
type running struct {
	Version uint64
	Source  string
	Modules []uint64
}

func (l *lab) status(t *testing.T) running {
	t.Helper()
	var r running
	l.mbctl(t, &r, "policy", "show")
	for _, h := range l.all() {
		r.Modules = append(r.Modules, h.info(t).PolicyVersion)
	}
	return r
}
