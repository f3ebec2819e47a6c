// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/agentd/internal/kernel"
)

// needMark skips a test where sockets may not be marked.
func needMark(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, kernel.ControlPriority)
	if errors.Is(err, unix.EPERM) {
		t.Skip("marking a socket takes CAP_NET_ADMIN")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// inetSocket is an IP socket of this process.
type inetSocket struct {
	kind     string // "udp", "tcp"
	local    uint16 // port
	priority int
}

// inetSockets returns those that there are now.
func inetSockets(t *testing.T) []inetSocket {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var found []inetSocket
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		name, err := unix.Getsockname(fd)
		if err != nil {
			continue // no socket, or closed since
		}
		s := inetSocket{kind: "tcp"}
		switch name := name.(type) {
		case *unix.SockaddrInet4:
			s.local = uint16(name.Port)
		case *unix.SockaddrInet6:
			s.local = uint16(name.Port)
		default:
			continue
		}
		if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
			continue
		} else if kind == unix.SOCK_DGRAM {
			s.kind = "udp"
		}
		if s.priority, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY); err != nil {
			continue
		}
		found = append(found, s)
	}
	return found
}

// A socket that is not marked is chained by a rule like match(any), and the
// packets by which that is carried out wait for themselves.
func TestAgentdMarksAllOfItsSockets(t *testing.T) {
	needMark(t)
	before := make(map[inetSocket]bool)
	for _, s := range inetSockets(t) { // of tests before
		before[s] = true
	}
	pd, m := startPolicyd(t, subpolicy()), agenttest.NewModule()
	startAgentd(t, t.TempDir(), pd.address, m)
	pd.wantAck(t)
	eventually(t, "undertaking", m.SetupListened)
	// It asks a neighbour, which is not there.
	m.Want(waiting(), false)
	eventually(t, "give up", func() bool { return len(m.Orders()) > 0 })

	policyd := netip.MustParseAddrPort(pd.address).Port()
	count := make(map[string]int)
	for _, s := range inetSockets(t) {
		if before[s] || s.local == policyd { // the test's own end
			continue
		}
		count[s.kind]++
		if s.priority != kernel.ControlPriority {
			t.Errorf("socket %+v, want priority %d", s, kernel.ControlPriority)
		}
	}
	if count["udp"] == 0 || count["tcp"] == 0 {
		t.Errorf("agentd has sockets %v, want one to other agents and one to policyd", count)
	}
}

// A question for the address of policyd's name is agentd's own too.
func TestQuestionsForPolicydsNameAreMarked(t *testing.T) {
	needMark(t)
	conn, err := controlDialer().Resolver.Dial(t.Context(), "udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	for _, s := range inetSockets(t) {
		if s.kind == "udp" && s.local == local {
			if s.priority != kernel.ControlPriority {
				t.Errorf("socket %+v, want priority %d", s, kernel.ControlPriority)
			}
			return
		}
	}
	t.Errorf("no socket on port %d", local)
}
