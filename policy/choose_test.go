// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"mbchain/chain"
	"mbchain/policy"
)

// choiceVectors are made from kmod/path.c by tests/kcore.
const choiceVectors = "../tests/kcore/testdata/choice.txt"

// The kernel module and this package choose the same instance. A line reads:
//
//	seed index saddr daddr sport dport proto choice turn addr:weight,addr:weight -> addr
//
// where an instance's IPv6 address is in brackets, behind + when it has both.
func TestChooseAsTheKernelModule(t *testing.T) {
	text, err := os.ReadFile(choiceVectors)
	if err != nil {
		t.Fatalf("read vectors: %v; tests/kcore/Makefile makes them", err)
	}
	vectors := map[chain.Family]int{}
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		family, err := checkChoice(line)
		if err != nil {
			t.Errorf("%s:%d: %v", choiceVectors, n+1, err)
		}
		vectors[family]++
	}
	for _, f := range []chain.Family{chain.IPv4, chain.IPv6} {
		if vectors[f] < 64 {
			t.Errorf("%s has only %d vectors of %v", choiceVectors, vectors[f], f)
		}
	}
}

func checkChoice(line string) (chain.Family, error) {
	f := strings.Fields(line)
	if len(f) != 12 || f[10] != "->" {
		return 0, fmt.Errorf("not a vector: %q", line)
	}
	source, err := parseEnd(f[2], f[4])
	if err != nil {
		return 0, err
	}
	family := chain.FamilyOf(source.Addr())
	return family, checkChoiceFrom(source, f)
}

func checkChoiceFrom(source netip.AddrPort, f []string) error {
	rawSeed, err := hex.DecodeString(f[0])
	if err != nil {
		return err
	}
	seed, err := policy.SeedFromBytes(rawSeed)
	if err != nil {
		return err
	}
	index, err := strconv.ParseUint(f[1], 10, 8)
	if err != nil {
		return err
	}
	protocol, err := chain.ParseProtocol(f[6])
	if err != nil {
		return err
	}
	destination, err := parseEnd(f[3], f[5])
	if err != nil {
		return err
	}
	method, ok := map[string]policy.Method{"hash": policy.ByHash, "source": policy.BySource, "turn": policy.InTurn}[f[7]]
	turn, err := strconv.ParseUint(f[8], 10, 32)
	if err != nil || !ok {
		return fmt.Errorf("choice %q, turn %q: %v", f[7], f[8], err)
	}
	nf := &policy.Type{Name: "nf", Choose: method}
	for _, text := range strings.Split(f[9], ",") {
		colon := strings.LastIndexByte(text, ':')
		weight, err := strconv.ParseUint(text[colon+1:], 10, 32)
		if err != nil {
			return err
		}
		in := policy.Instance{Weight: uint32(weight)}
		for _, text := range strings.Split(text[:max(colon, 0)], "+") {
			a, err := netip.ParseAddr(strings.Trim(text, "[]"))
			if err != nil {
				return err
			}
			if a.Is4() {
				in.Address = a
			} else {
				in.Address6 = a
			}
		}
		nf.Instances = append(nf.Instances, in)
	}
	tuple := chain.FiveTuple{Source: source, Destination: destination, Protocol: protocol}
	got := policy.Choose(seed, nf, int(index), tuple)
	if method == policy.InTurn {
		got = policy.ChooseInTurn(nf, uint32(turn), tuple.Family())
	}
	if got.Address.String() != f[11] {
		return fmt.Errorf("chose %s at %d of %d, want %s", got.Address, got.Point, got.Total, f[11])
	}
	return nil
}

func parseEnd(address, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(a, uint16(n)), err
}

// The hash is that of the SipHash paper's test vectors: the key 00..0f and,
// laid out as kmod/path.h says, the messages 00..0d of IPv4 and 00..25 of IPv6
// hash to f723ca908e7af2ee and cadcd4e59ef40c4d.
func TestChooseHashesAsSpecified(t *testing.T) {
	var seed policy.Seed
	for i := range seed {
		seed[i] = byte(i)
	}
	tests := []struct {
		tuple chain.FiveTuple
		index int
		hash  uint64 // its upper half
	}{
		{chain.FiveTuple{
			Source:      netip.MustParseAddrPort("0.1.2.3:2057"), // 0x0809
			Destination: netip.MustParseAddrPort("4.5.6.7:2571"), // 0x0a0b
			Protocol:    12,
		}, 13, 0xf723ca90},
		{chain.FiveTuple{
			Source:      netip.MustParseAddrPort("[1:203:405:607:809:a0b:c0d:e0f]:8225"),           // 0x2021
			Destination: netip.MustParseAddrPort("[1011:1213:1415:1617:1819:1a1b:1c1d:1e1f]:8739"), // 0x2223
			Protocol:    0x24,
		}, 0x25, 0xcadcd4e5},
	}
	for _, tt := range tests {
		for _, n := range []int{1, 2, policy.MaxInstances} {
			nf := &policy.Type{Name: "nf"}
			for i := range n {
				nf.Instances = append(nf.Instances, policy.Instance{
					Address:  netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}),
					Address6: netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(i)}),
					Weight:   policy.MaxWeight,
				})
			}
			total := uint64(n) * policy.MaxWeight
			point := tt.hash * total >> 32
			chosen := nf.Instances[point/policy.MaxWeight]
			want := policy.Choice{Instance: chosen, Address: chosen.Address, Point: uint32(point), Total: uint32(total)}
			if tt.tuple.Family() == chain.IPv6 {
				want.Address = chosen.Address6
			}
			if got := policy.Choose(seed, nf, tt.index, tt.tuple); got != want {
				t.Errorf("%v, %d instances: %+v, want %+v", tt.tuple, n, got, want)
			}
		}
	}
}

// A session chooses among the instances that have an address of its family,
// as if there were no others.
func TestChooseLooksOnlyAtInstancesOfTheFamily(t *testing.T) {
	four, six := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")
	of4 := policy.Instance{Address: four, Weight: 3}
	of6 := policy.Instance{Address6: six, Weight: 5}
	both := policy.Instance{Name: "both", Address: netip.MustParseAddr("10.0.0.3"), Address6: netip.MustParseAddr("fd00::3"), Weight: 2}
	mixed := &policy.Type{Name: "nf", Instances: []policy.Instance{of4, of6, both}}
	tests := []struct {
		name  string
		tuple string
		alone []policy.Instance
	}{
		{"IPv4", "10.0.0.1:%d > 10.0.0.9:80", []policy.Instance{of4, both}},
		{"IPv6", "[fd00::1]:%d > [fd00::9]:80", []policy.Instance{of6, both}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := map[policy.Instance]bool{}
			for port := range 100 {
				tuple := mustTuple(t, fmt.Sprintf(tt.tuple, 1000+port))
				got := policy.Choose(policy.Seed{1}, mixed, 0, tuple)
				want := policy.Choose(policy.Seed{1}, &policy.Type{Name: "nf", Instances: tt.alone}, 0, tuple)
				if got != want {
					t.Fatalf("%v: chose %+v, want %+v", tuple, got, want)
				}
				seen[got.Instance] = true
			}
			if len(seen) != len(tt.alone) {
				t.Errorf("%d instances were chosen, want %d", len(seen), len(tt.alone))
			}
		})
	}
	none := policy.Choose(policy.Seed{}, &policy.Type{Instances: []policy.Instance{of4}}, 0, mustTuple(t, "[fd00::1]:1 > [fd00::9]:80"))
	if none != (policy.Choice{}) {
		t.Errorf("chose %+v, want none", none)
	}
}

// Over many sessions each instance gets its share, and neighbours in a chain
// choose independently of each other.
func TestChooseSharesByWeight(t *testing.T) {
	nf := &policy.Type{Name: "nf", Instances: []policy.Instance{
		{Address: netip.MustParseAddr("10.0.0.2"), Weight: 1},
		{Address: netip.MustParseAddr("10.0.0.3"), Weight: 2},
		{Address: netip.MustParseAddr("10.0.0.4"), Weight: 5},
	}}
	const sessions = 40_000
	seen := map[[2]netip.Addr]int{}
	for i := range sessions {
		tuple := chain.FiveTuple{
			Source:      netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i / 40_000)}), uint16(1024+i)),
			Destination: netip.MustParseAddrPort("10.0.0.9:80"),
			Protocol:    chain.ProtocolTCP,
		}
		first := policy.Choose(policy.Seed{1, 2, 3}, nf, 0, tuple).Instance
		second := policy.Choose(policy.Seed{1, 2, 3}, nf, 1, tuple).Instance
		seen[[2]netip.Addr{first.Address, second.Address}]++
	}
	for _, a := range nf.Instances {
		for _, b := range nf.Instances {
			p := float64(a.Weight*b.Weight) / 64
			want := p * sessions
			got := float64(seen[[2]netip.Addr{a.Address, b.Address}])
			if deviation := math.Abs(got-want) / math.Sqrt(want*(1-p)); deviation > 5 {
				t.Errorf("%s then %s: %v sessions, want about %v", a.Address, b.Address, got, want)
			}
		}
	}
}

func TestSeedFromBytes(t *testing.T) {
	seed, err := policy.SeedFromBytes([]byte("0123456789abcdef"))
	if err != nil || seed.String() != "30313233343536373839616263646566" {
		t.Errorf("seed %s, %v", seed, err)
	}
	for _, n := range []int{0, 15, 17} {
		if _, err := policy.SeedFromBytes(make([]byte, n)); err == nil {
			t.Errorf("%d bytes make a seed", n)
		}
	}
}
