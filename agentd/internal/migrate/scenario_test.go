// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/agentd/internal/lock"
)

var update = flag.Bool("update", false, "write what happens in the scenarios into testdata")

// A scenario of testdata is lines of script, then "----", then all that happens:
//
//	path HOST...                         the session's path, left to right
//	spare HOST...                        other hosts
//	migrate GUARANTEE LEFT RIGHT HOST... replace what is between the anchors by these
//	drop MESSAGE FROM TO                 the first such message is lost,
//	double MESSAGE FROM TO               comes twice,
//	late MESSAGE FROM TO TIME            comes that much later,
//	crash MESSAGE FROM TO TIME           crashes the agent to which it comes, for that long
//	lose-markers N...                    the Nth marker of all links is lost
//	end MESSAGE FROM TO                  the session ends as it comes
//
// Every message and packet is under way for 5 ms.
type scenario struct {
	*world
	s       *sim
	plans   []lock.Plan
	named   map[string]*node
	path    []*node
	trouble []trouble
	markers int   // sent on any link
	lost    []int // of these, by number
	trace   strings.Builder
}

type trouble struct {
	kind, message, from, to string
	time                    time.Duration
}

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script, want, _ := strings.Cut(string(text), "----\n")
			got := play(t, script)
			if *update {
				if err := os.WriteFile(file, []byte(script+"----\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s (-want +got); go test ./agentd/internal/migrate -run TestScenarios -update:\n%s", file, diff)
			}
		})
	}
}

func play(t *testing.T, script string) string {
	c := &scenario{world: newWorld(t, 1), named: make(map[string]*node)}
	c.latency = func(*node, *node) time.Duration { return 5 * time.Millisecond }
	c.fate = c.decide
	c.losesMark = func() bool { c.markers++; return slices.Contains(c.lost, c.markers) }
	c.watcher = c.note
	for line := range strings.Lines(script) {
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			c.command(words)
		}
	}
	c.chatter(c.s, 20)
	for _, plan := range c.plans {
		if err := c.want(plan); err != nil {
			t.Fatal(err)
		}
	}
	c.run(time.Hour)
	c.settled()
	if !c.s.over {
		fmt.Fprintf(&c.trace, "path: %v\n", c.world.path(c.s))
	}
	return c.trace.String()
}

func (c *scenario) command(words []string) {
	w, args := c.world, words[1:]
	switch words[0] {
	case "path", "spare":
		var hosts []*node
		for _, name := range args {
			c.named[name] = w.addNode(name)
			hosts = append(hosts, c.named[name])
		}
		if words[0] == "path" {
			c.path = hosts
		}
	case "migrate":
		g := slices.IndexFunc(guarantees, func(g lock.Guarantee) bool { return g.String() == args[0] })
		if c.s == nil {
			c.s = w.addSession(guarantees[g], c.path...)
		}
		var fresh []*node
		for _, name := range args[3:] {
			fresh = append(fresh, c.named[name])
		}
		i, j := slices.Index(c.path, c.named[args[1]]), slices.Index(c.path, c.named[args[2]])
		plan := w.planFor(c.s, c.path, i, j, fresh...)
		plan.ID = lock.ID(0x1000 * (len(c.plans) + 1))
		c.plans = append(c.plans, plan)
	case "lose-markers":
		for _, arg := range args {
			n, err := strconv.Atoi(arg)
			if err != nil {
				w.t.Fatalf("read %v: %v", words, err)
			}
			c.lost = append(c.lost, n)
		}
	case "drop", "double", "late", "crash", "end":
		tr := trouble{kind: words[0], message: args[0], from: args[1], to: args[2]}
		if len(args) > 3 {
			var err error
			if tr.time, err = time.ParseDuration(args[3]); err != nil {
				w.t.Fatalf("read %v: %v", words, err)
			}
		}
		c.trouble = append(c.trouble, tr)
	default:
		w.t.Fatalf("read scenario: unknown command %v", words)
	}
}

// decide is the fate of a message: the first trouble that fits it.
func (c *scenario) decide(from, to *node, _ lock.ID, m Message) []time.Duration {
	way := c.latency(from, to)
	name := strings.Fields(m.String())[0]
	i := slices.IndexFunc(c.trouble, func(tr trouble) bool {
		return tr.message == name && tr.from == from.name && tr.to == to.name
	})
	if i < 0 {
		return []time.Duration{way}
	}
	tr := c.trouble[i]
	c.trouble = slices.Delete(c.trouble, i, i+1)
	switch tr.kind {
	case "drop":
		return nil
	case "double":
		return []time.Duration{way, 2 * way}
	case "late":
		return []time.Duration{way + tr.time}
	case "end":
		c.after(way, func() { c.finish(c.s) })
		return []time.Duration{way}
	}
	c.after(way, func() {
		c.crash(to)
		c.after(time.Millisecond, func() { c.lose(to) })
		c.after(tr.time, func() { c.restart(to) })
	})
	return []time.Duration{way + time.Millisecond}
}

// note writes down what an agent is told, and what it orders. What has no
// consequence is left out, but for messages.
func (c *scenario) note(n *node, _ lock.ID, e Event, orders []Order) {
	_, message := e.(Received)
	_, happened := e.(said)
	if len(orders) == 0 && !message && !happened {
		return
	}
	fmt.Fprintf(&c.trace, "%v %s: %s\n", c.now.Round(time.Millisecond), n, c.names(e.String()))
	for _, o := range orders {
		fmt.Fprintf(&c.trace, "    %s\n", c.names(o.Action.String()))
	}
}

// names puts the names of hosts for their addresses.
func (c *scenario) names(text string) string {
	for _, n := range slices.Backward(c.nodes) { // 10.0.0.1 is the beginning of others
		text = strings.ReplaceAll(text, n.addr.String(), n.name)
	}
	return text
}
