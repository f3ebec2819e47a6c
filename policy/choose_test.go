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
//	seed index saddr daddr sport dport proto addr:weight,addr:weight -> addr
func TestChooseAsTheKernelModule(t *testing.T) {
	text, err := os.ReadFile(choiceVectors)
	if err != nil {
		t.Fatalf("read vectors: %v; tests/kcore/Makefile makes them", err)
	}
	vectors := 0
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		vectors++
		if err := checkChoice(line); err != nil {
			t.Errorf("%s:%d: %v", choiceVectors, n+1, err)
		}
	}
	if vectors < 64 {
		t.Errorf("%s has only %d vectors", choiceVectors, vectors)
	}
}

func checkChoice(line string) error {
	f := strings.Fields(line)
	if len(f) != 10 || f[8] != "->" {
		return fmt.Errorf("not a vector: %q", line)
	}
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
	source, err := netip.ParseAddrPort(f[2] + ":" + f[4])
	if err != nil {
		return err
	}
	destination, err := netip.ParseAddrPort(f[3] + ":" + f[5])
	if err != nil {
		return err
	}
	nf := &policy.Type{Name: "nf"}
	for _, text := range strings.Split(f[7], ",") {
		address, weight, _ := strings.Cut(text, ":")
		n, err := strconv.ParseUint(weight, 10, 32)
		if err != nil {
			return err
		}
		a, err := netip.ParseAddr(address)
		if err != nil {
			return err
		}
		nf.Instances = append(nf.Instances, policy.Instance{Address: a, Weight: uint32(n)})
	}
	tuple := chain.FiveTuple{Source: source, Destination: destination, Protocol: protocol}
	got := policy.Choose(seed, nf, int(index), tuple)
	if got.Instance.Address.String() != f[9] {
		return fmt.Errorf("chose %s at %d of %d, want %s", got.Instance.Address, got.Point, got.Total, f[9])
	}
	return nil
}

// The hash is that of the SipHash paper's test vectors: the key 00..0f and,
// laid out as kmod/path.h says, the message 00..0d hash to f723ca908e7af2ee.
func TestChooseHashesAsSpecified(t *testing.T) {
	var seed policy.Seed
	for i := range seed {
		seed[i] = byte(i)
	}
	tuple := chain.FiveTuple{
		Source:      netip.MustParseAddrPort("0.1.2.3:2057"), // 0x0809
		Destination: netip.MustParseAddrPort("4.5.6.7:2571"), // 0x0a0b
		Protocol:    12,
	}
	for _, n := range []int{1, 2, policy.MaxInstances} {
		nf := &policy.Type{Name: "nf"}
		for i := range n {
			nf.Instances = append(nf.Instances, policy.Instance{
				Address: netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), Weight: policy.MaxWeight,
			})
		}
		got := policy.Choose(seed, nf, 13, tuple)
		total := uint64(n) * policy.MaxWeight
		point := uint64(0xf723ca90) * total >> 32
		want := policy.Choice{
			Instance: nf.Instances[point/policy.MaxWeight], Point: uint32(point), Total: uint32(total),
		}
		if got != want {
			t.Errorf("%d instances: %+v, want %+v", n, got, want)
		}
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
