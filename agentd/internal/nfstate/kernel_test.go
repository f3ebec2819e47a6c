// SPDX-License-Identifier: Apache-2.0

package nfstate

import (
	"bytes"
	"errors"
	"net"
	"os"
	"regexp"
	"strconv"
	"testing"

	"mbchain/agentd/internal/lock"
	"mbchain/chain"
)

// timeout goes down by the second.
var timeout = regexp.MustCompile(`"timeout":[0-9]+,`)

// It needs connection tracking, which tests/integration sees to in a guest.
func TestKernelKeepsWhatMoves(t *testing.T) {
	if os.Getenv("MBCHAIN_REQUIRE_KERNEL") != "1" {
		t.Skip("tests/integration runs it in a guest")
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) { testKernelKeeps(t, address) })
	}
}

func testKernelKeeps(t *testing.T, address string) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	flow := chain.FiveTuple{
		Source: c.LocalAddr().(*net.TCPAddr).AddrPort(), Destination: c.RemoteAddr().(*net.TCPAddr).AddrPort(),
		Protocol: chain.ProtocolTCP,
	}
	m := New("")
	export := func() []byte {
		t.Helper()
		state, err := m.Export(t.Context(), lock.Conntrack, flow)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	was := export()
	if err := m.Drop(t.Context(), lock.Conntrack, flow); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Export(t.Context(), lock.Conntrack, flow); !errors.Is(err, ErrNoState) {
		t.Errorf("export what was dropped: error %v, want %v", err, ErrNoState)
	}
	for range 2 { // twice is once
		if err := m.Import(t.Context(), lock.Conntrack, flow, was); err != nil {
			t.Fatal(err)
		}
	}
	was, is := timeout.ReplaceAll(was, nil), timeout.ReplaceAll(export(), nil)
	was = bytes.ReplaceAll(was, []byte(strconv.Itoa(0x2300)), []byte(strconv.Itoa(0x2300|liberal)))
	if !bytes.Equal(is, was) {
		t.Errorf("the entry is %s, and was %s", is, was)
	}
	if err := m.Drop(t.Context(), lock.Conntrack, flow); err != nil {
		t.Fatal(err)
	}
	if err := m.Drop(t.Context(), lock.Conntrack, flow); err != nil {
		t.Errorf("drop again: %v", err)
	}
}
