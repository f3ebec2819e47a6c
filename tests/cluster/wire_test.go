// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// wires is a network of its own: a namespace with a bridge, where clients are,
// and one for each node.
type wires struct {
	t    *testing.T
	name string
}

// newWiredDomain makes nodes in network namespaces.
func newWiredDomain(t *testing.T, n int) (*domain, *wires) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	w := &wires{t: t, name: fmt.Sprintf("mbct%d-%s", os.Getpid(), strings.ToLower(filepath.Base(t.Name())))}
	w.namespace(w.name)
	w.ip("-n", w.name, "link", "add", "br0", "type", "bridge")
	w.ip("-n", w.name, "address", "add", "10.77.0.254/24", "dev", "br0")
	w.ip("-n", w.name, "address", "add", agentsAt+"/24", "dev", "br0")
	w.ip("-n", w.name, "link", "set", "br0", "up")
	d := &domain{t: t}
	for i := range n {
		ns, port, address := w.of(i), fmt.Sprintf("p%d", i), fmt.Sprintf("10.77.0.%d", i+1)
		w.namespace(ns)
		w.ip("-n", w.name, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns)
		w.ip("-n", w.name, "link", "set", port, "master", "br0", "up")
		w.ip("-n", ns, "address", "add", address+"/24", "dev", "eth0")
		w.ip("-n", ns, "link", "set", "eth0", "up")
		w.ip("-n", ns, "link", "set", "lo", "up")
		d.add(address).prefix = []string{"ip", "netns", "exec", ns}
	}
	d.dial = w.dial
	return d, w
}

func (w *wires) of(i int) string { return fmt.Sprintf("%s-%d", w.name, i) }

func (w *wires) namespace(name string) {
	w.t.Helper()
	w.ip("netns", "add", name)
	w.t.Cleanup(func() { w.ip("netns", "delete", name) })
}

func (w *wires) ip(args ...string) { w.t.Helper(); w.run("ip", args...) }

func (w *wires) run(name string, args ...string) {
	w.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// cut makes a node lose, without a word, what comes from the others. Clients
// still reach it.
func (w *wires) cut(i, nodes int) {
	w.t.Helper()
	var others []string
	for other := range nodes {
		if other != i {
			others = append(others, fmt.Sprintf("10.77.0.%d", other+1))
		}
	}
	w.filter(i, "chain in { type filter hook input priority 0; ip saddr { "+strings.Join(others, ", ")+" } drop; };")
}

// part makes a node and an address lose, without a word, what they say to each other.
func (w *wires) part(i int, from string) {
	w.t.Helper()
	w.filter(i, "chain in { type filter hook input priority 0; ip saddr "+from+" drop; };"+
		"chain out { type filter hook output priority 0; ip daddr "+from+" drop; };")
}

func (w *wires) filter(i int, chains string) {
	w.t.Helper()
	w.run("ip", "netns", "exec", w.of(i), "nft", "table ip cut { "+chains+" }")
}

// heal undoes cut and part.
func (w *wires) heal(i int) {
	w.t.Helper()
	w.run("ip", "netns", "exec", w.of(i), "nft", "delete table ip cut")
}

// agentsAt is an address from which agents may call, and nobody else.
const agentsAt = "10.77.0.253"

// dial opens a connection from where the clients are.
func (w *wires) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return w.dialFrom(ctx, nil, network, address)
}

// dialAsAgent opens one from agentsAt.
func (w *wires) dialAsAgent(ctx context.Context, network, address string) (net.Conn, error) {
	return w.dialFrom(ctx, &net.TCPAddr{IP: net.ParseIP(agentsAt)}, network, address)
}

// dialFrom opens one from an address of the clients' namespace; nil: from any.
func (w *wires) dialFrom(ctx context.Context, from net.Addr, network, address string) (net.Conn, error) {
	// A socket belongs to the namespace that its thread is in when it is made.
	runtime.LockOSThread()
	home, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer home.Close()
	there, err := os.Open("/run/netns/" + w.name)
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	conn, err := (&net.Dialer{Timeout: tryFor, LocalAddr: from}).DialContext(ctx, network, address)
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return nil, back // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return conn, err
}
