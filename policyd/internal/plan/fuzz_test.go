// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"net/netip"
	"slices"
	"testing"

	"mbchain/chain"
	"mbchain/policy"
	"mbchain/proto"
)

// Whatever hosts say of their sessions, a plan has hosts of the domain alone, each
// once, all of one family, and is led by the host of its left anchor.
func FuzzPlans(f *testing.F) {
	f.Add([]byte{0}, "10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.4")
	f.Add([]byte{1, 2}, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
	f.Add([]byte{2, 0, 1}, "fd00::1", "fd00::2", "fd00::2", "fd00::4")
	f.Add([]byte{3, 1}, "198.51.100.9", "10.0.0.2", "10.0.0.2", "")
	d := testDomain()
	requests := []*proto.StartMigrationsRequest{
		remove("mb1"), remove("mb1", "mb2"), replace("mb1", "mb3"), insert("mb1", "", "mb3", "mb4"), insert("", "mb1", "mb4"),
	}
	followed := []*policy.Policy{
		parse(f, "match(any) >> {dpi} live-sessions migrate"), parse(f, "match(any) >> {} live-sessions migrate"),
		parse(f, "match(any) >> {ids -> dpi -> cache} live-sessions migrate"), parse(f, "match(any) >> {ids} live-sessions reset"),
	}
	f.Fuzz(func(t *testing.T, choices []byte, leftPeer, leftSelf, rightSelf, rightPeer string) {
		choose := func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			first := int(choices[0])
			choices = choices[1:]
			return first % n
		}
		a := session([]uint32{6, 17}[choose(2)], "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
		c, err := FromRequest(requests[choose(len(requests))])
		if err != nil {
			t.Fatal(err)
		}
		s := a.of([]string{"mb1", "mb2", "client"}[choose(3)])
		s.Left = &proto.Side{Tuple: tuple(leftPeer, 1, leftSelf, 2, 6)}
		s.Right = &proto.Side{Tuple: tuple(rightSelf, 1, rightPeer, 2, 6)}
		if choose(2) == 1 {
			s.Super = tuple(leftPeer, 1, rightPeer, 2, 6)
		}
		wishes, skipped := d.Plans(&c, &Selection{}, a)
		if len(wishes)+len(skipped) != 1 {
			t.Fatalf("wishes %v, skipped %v of one session", wishes, skipped)
		}
		for _, w := range wishes {
			checkWish(t, d, w)
		}

		first := a.of("client")
		first.Role, first.Hops = proto.Role_ROLE_CLIENT, []string{leftPeer, rightSelf, rightPeer}[:choose(4)]
		live := d.Follow(followed[choose(len(followed))], policy.Seed{}, a, func() bool { return false })
		if n := len(live.Migrate) + len(live.Reset) + len(live.Skipped) + live.Kept; n != 1 {
			t.Fatalf("live %+v of one session", live)
		}
		for _, w := range live.Migrate {
			checkWish(t, d, w)
		}
	})
}

func checkWish(t *testing.T, d *Domain, w Wish) {
	t.Helper()
	all := slices.Concat([]string{w.Plan.Left}, w.Plan.Old, w.Plan.New, []string{w.Plan.Right})
	super, err := fiveTuple(w.Plan.Super)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range all {
		address, err := netip.ParseAddr(text)
		switch {
		case err != nil || d.Owners[address] == "":
			t.Errorf("%q is no address of the domain: %v", text, w.Plan)
		case chain.FamilyOf(address) != super.Family():
			t.Errorf("%s is not of %s: %v", text, super.Family(), w.Plan)
		case slices.Contains(all[:i], text):
			t.Errorf("%s stands twice in %v", text, w.Plan)
		}
	}
	if left := netip.MustParseAddr(w.Plan.Left); d.Owners[left] != w.LeftHost {
		t.Errorf("led by %s: %v", w.LeftHost, w.Plan)
	}
}
