// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	pb "google.golang.org/protobuf/proto"

	"mbchain/identity"
	"mbchain/proto"
	"mbchain/proto/delta"
	"mbchain/proto/protoconnect"
)

// agent is a simulated host that follows whichever policyd lets it, and looks
// at what it is pushed.
type agent struct {
	d       *domain
	name    string
	address string // of the host
	rules   int    // that each policy has for it; anyRules: they are not looked at
	at      int
	patient bool                 // it comes back as agentd does, and not every 100 ms
	told    func(version uint64) // each time that it runs another one; nil: nobody wants to know

	held *delta.Whole // of the goroutine that follows

	mu      sync.Mutex
	running uint64
	wholes  int // pushed to it, and changes
	changes int
	bytes   int // of both
	wrong   []string
	streams int
	seen    map[uint64]string // port that the rules of a version name
}

// anyRules is for agents of which there are so many that a look at their rules would be
// what takes the time.
const anyRules = -1

var portOf = regexp.MustCompile(`dstport=(\d+)`)

// follow subscribes again and again until ctx ends.
func (a *agent) follow(ctx context.Context) {
	a.seen = map[uint64]string{}
	as := a.d.client(a.d.certify(identity.Agent, a.name, a.address))
	pause := 100 * time.Millisecond
	if a.patient {
		transport := as.Transport.(*http.Transport)
		transport.TLSHandshakeTimeout = 10 * time.Second
		transport.HTTP2 = nil // 15 s of silence are what ends a stream
		pause = 250 * time.Millisecond
	}
	for ctx.Err() == nil {
		began := time.Now()
		n := a.d.nodes[a.at%len(a.d.nodes)]
		a.at++
		a.subscribe(ctx, protoconnect.NewAgentServiceClient(as, "https://"+n.address))
		wait := pause
		if a.patient {
			wait = time.Duration(float64(pause) * (0.5 + rand.Float64()))
			if pause = min(2*pause, 8*time.Second); time.Since(began) > 8*time.Second {
				pause = 250 * time.Millisecond
			}
		}
		select {
		case <-time.After(wait): // polls other processes
		case <-ctx.Done():
		}
	}
}

func (a *agent) subscribe(ctx context.Context, agents protoconnect.AgentServiceClient) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := &proto.SubscribeRequest{Host: a.name, Addresses: []string{a.address}, RunningVersion: a.version(), TakesChanges: true}
	if a.held != nil {
		digest := a.held.Digest()
		request.Held = digest[:]
	}
	stream, err := agents.Subscribe(ctx, request)
	if err != nil {
		return
	}
	defer stream.Close()
	a.mu.Lock()
	a.streams++
	a.mu.Unlock()
	silent := time.AfterFunc(15*time.Second, cancel)
	defer silent.Stop()
	for stream.Receive() {
		silent.Reset(15 * time.Second)
		push := stream.Msg()
		if push.GetSubpolicy() == nil && push.GetChange() == nil {
			continue
		}
		a.receive(push)
		// One that is not taken comes again on the next stream.
		_, _ = agents.Acknowledge(ctx, &proto.AcknowledgeRequest{Host: a.name, Nonce: push.Nonce, Version: a.version()})
	}
}

// receive takes what a push comes to. Every change fits, whichever nodes there were.
func (a *agent) receive(push *proto.Push) {
	now, err := a.held.Apply(push.GetChange())
	if s := push.GetSubpolicy(); s != nil {
		now, err = delta.New(s, nil), nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err != nil:
		a.wrong = append(a.wrong, fmt.Sprintf("%v does not fit: %v", push, err))
		return
	case push.GetSubpolicy() != nil:
		a.wholes++
	default:
		a.changes++
	}
	a.held = now
	a.bytes += pb.Size(push)
	before := a.running
	if a.take(now.Subpolicy()); a.told != nil && a.running != before {
		a.told(a.running)
	}
}

// take looks at a subpolicy: it is one whole policy, and none that is older
// than the one before. a.mu is held.
func (a *agent) take(s *proto.Subpolicy) {
	if s.Version < a.running {
		a.wrong = append(a.wrong, fmt.Sprintf("version %d after version %d", s.Version, a.running))
	}
	a.running = s.Version
	if a.rules == anyRules {
		return
	}
	port := ""
	for _, r := range s.Rules {
		m := portOf.FindStringSubmatch(r.Predicate)
		if m == nil && strings.Contains(r.Predicate, "dstip=") {
			continue // one that stays
		}
		if m == nil || port != "" && m[1] != port {
			a.wrong = append(a.wrong, fmt.Sprintf("version %d mixes policies: %v", s.Version, s.Rules))
			return
		}
		port = m[1]
	}
	if s.Version != 0 && len(s.Rules) != a.rules {
		a.wrong = append(a.wrong, fmt.Sprintf("version %d has %d rules, want %d", s.Version, len(s.Rules), a.rules))
	}
	if before, again := a.seen[s.Version]; again && before != port {
		a.wrong = append(a.wrong, fmt.Sprintf("version %d names %s, and before %s", s.Version, port, before))
	}
	a.seen[s.Version] = port
}

// pushedWhole returns how often it got the whole.
func (a *agent) pushedWhole() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.wholes
}

func (a *agent) version() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running
}

// check compares what the agent was pushed with what was acknowledged.
func (a *agent) check(t *testing.T, h *history) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, text := range a.wrong {
		t.Errorf("%s: %s", a.name, text)
	}
	for version, port := range a.seen {
		source, acked := h.acked[version]
		if m := portOf.FindStringSubmatch(source); acked && m[1] != port {
			t.Errorf("%s: version %d names %s, applied was %q", a.name, version, port, source)
		}
	}
	t.Logf("%s saw %d versions over %d streams, %d wholes and %d changes", a.name, len(a.seen), a.streams, a.wholes, a.changes)
}
