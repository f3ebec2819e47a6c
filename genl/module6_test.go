// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mbchain/chain"
	"mbchain/genl"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// clientHost6 makes the namespace a host whose TCP sessions over IPv6 all go
// through fd00::2 to fd00::4. Nobody answers them.
func clientHost6(t *testing.T, client *genl.Client) *genl.Policy {
	t.Helper()
	for _, args := range []string{
		"link set lo up",
		"link add v0 type veth peer name v1",
		"link set v0 up",
		"link set v1 up",
		"-6 addr add fd00::1/128 dev v0 nodad",
		"-6 route add fd00::/64 dev v0 src fd00::1",
		"-6 neigh add fd00::2 lladdr 02:00:00:00:00:02 dev v0",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	p := &genl.Policy{
		Version:   6,
		Types:     []genl.Type{{Name: "fw", Instances: []genl.Instance{{Addr6: addr6(2), Weight: 1}}}},
		Rules:     []genl.Rule{{ID: 66, OnFailure: genl.Block, Types: []uint16{0}}},
		Programs6: [][]bpf.RawInstruction{{{Op: unix.BPF_RET, K: 1}}},
		Hosts:     []netip.Addr{addr6(2), addr6(4)},
	}
	if err := client.SetKeys(t.Context(), []genl.Key{{ID: 1, Secret: genl.Secret{1}}}); err != nil {
		t.Fatal(err)
	}
	if err := client.LoadPolicy(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// The module tells of sessions over IPv6 what it tells of those over IPv4, in
// its dump and in its events.
func TestModuleSessionsIPv6(t *testing.T) {
	newNamespace(t)
	client := newClient(t, genl.Dial)
	p := clientHost6(t, client)
	events, err := client.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	const n = 100
	open(t, addr6(1), addr6(4), 20000, n)
	told := receiveNew(ctx, t, events, n)
	sessions, err := client.Sessions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ports := make(map[uint16]bool)
	for _, s := range sessions {
		port := s.Super.Source.Port()
		ports[port] = true
		want := genl.Session{
			ID:    s.ID,
			Role:  chain.RoleClient,
			State: chain.StateSYN,
			Super: chain.FiveTuple{
				Source:      netip.AddrPortFrom(addr6(1), port),
				Destination: netip.AddrPortFrom(addr6(4), 80),
				Protocol:    chain.ProtocolTCP,
			},
			Rule:          66,
			PolicyVersion: p.Version,
			Setup:         chain.SetupInBand,
			Hops:          p.Hosts,
			Right:         &genl.Subsession{OutPackets: 1},
		}
		if diff := cmp.Diff(want, s, equateAddrs,
			cmpopts.IgnoreFields(genl.Session{}, "Age", "Idle"),
			cmpopts.IgnoreFields(genl.Subsession{}, "Tuple", "OutBytes")); diff != "" {
			t.Fatalf("session (-want +got):\n%s", diff)
		}
		right := s.Right.Tuple
		if right.Source.Addr() != addr6(1) || right.Destination.Addr() != addr6(2) {
			t.Errorf("subsession %v, want one from fd00::1 to fd00::2", right)
		}
		if s.Right.OutBytes == 0 {
			t.Errorf("subsession %v: no bytes sent", right)
		}
		if got := told[s.ID].Right; got == nil || got.Tuple != right {
			t.Errorf("session %v: event told of %+v, dump of %+v", s.ID, got, s.Right)
		}
	}
	if len(sessions) != n || len(ports) != n {
		t.Errorf("%d sessions of %d ports, want %d", len(sessions), len(ports), n)
	}
	if err := client.DeleteSession(ctx, sessions[0].ID); err != nil {
		t.Fatal(err)
	}
	wantCount(t, client, n-1)
}
