// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Starting a program takes an emulated processor a tenth of a second, and a rig
// takes many commands. This is what they mostly are, without a program.

// netnsDir is where the program ip keeps namespaces.
const netnsDir = "/run/netns"

// openNamespaces prepares the directory as ip does.
func openNamespaces() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return err
	}
	share := func() error { return unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "") }
	if err := share(); !errors.Is(err, unix.EINVAL) {
		return err
	}
	if err := unix.Mount(netnsDir, netnsDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return share()
}

// addNamespace makes a namespace that has a name.
func addNamespace(name string) error {
	if err := openNamespaces(); err != nil {
		return fmt.Errorf("prepare %s: %w", netnsDir, err)
	}
	path := filepath.Join(netnsDir, name)
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0)
	if err != nil {
		return fmt.Errorf("add namespace: %w", err)
	}
	_ = f.Close()
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with this
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = unix.Mount("/proc/thread-self/ns/net", path, "none", unix.MS_BIND, "")
		}
		result <- err
	}()
	if err := <-result; err != nil {
		return errors.Join(fmt.Errorf("add namespace %s: %w", name, err), os.Remove(path))
	}
	return nil
}

// deleteNamespace takes its name away, and so ends it once nothing uses it.
func deleteNamespace(name string) error {
	path := filepath.Join(netnsDir, name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	return os.Remove(path)
}

// ip runs commands of the program ip; without it if it understands them.
func (h *host) ip(t *testing.T, commands ...string) {
	t.Helper()
	var requests []ipRequest
	for _, command := range commands {
		r, ok := readIP(strings.Fields(command))
		if !ok {
			h.feed(t, strings.Join(commands, "\n")+"\n", "ip", "-batch", "-")
			return
		}
		requests = append(requests, r)
	}
	err := h.in(func() error {
		conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		for i, r := range requests {
			if err := r(conn); err != nil {
				return fmt.Errorf("%s: %w", commands[i], err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("run ip on %s: %v", h.name, err)
	}
}

// An ipRequest does what a command says, in the namespace of its thread.
type ipRequest func(*netlink.Conn) error

// readIP understands the commands that tests use most.
func readIP(words []string) (ipRequest, bool) {
	if len(words) < 3 {
		return nil, false
	}
	rest := words[3:]
	switch words[0] + " " + words[1] {
	case "link set", "link add":
		l := link{name: words[2], add: words[1] == "add"}
		return l.request, l.read(rest) && l.add == (l.kind != "")
	case "addr add":
		var a address
		return a.request, a.read(words[2], rest)
	case "route add":
		r := ipRoute{flags: netlink.Create | netlink.Excl}
		return r.request, r.read(words[2], rest)
	case "route replace":
		r := ipRoute{flags: netlink.Create | netlink.Replace}
		return r.request, r.read(words[2], rest)
	case "route change":
		r := ipRoute{flags: netlink.Replace}
		return r.request, r.read(words[2], rest)
	}
	return nil, false
}

// A link is what "link add" makes, or "link set" changes.
type link struct {
	name   string
	add    bool
	up     bool
	mtu    uint32
	master string
	netns  string
	kind   string
	peer   *link
}

func (l *link) read(words []string) bool {
	for len(words) > 0 {
		if words[0] == "up" {
			l.up, words = true, words[1:]
			continue
		}
		if len(words) < 2 {
			return false
		}
		value := words[1]
		switch words[0] {
		case "mtu":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return false
			}
			l.mtu = uint32(n)
		case "master":
			l.master = value
		case "netns":
			l.netns = value
		case "type":
			l.kind = value
			rest := words[2:]
			if value != "veth" {
				return (value == "dummy" || value == "bridge") && len(rest) == 0
			}
			if len(rest) < 3 || rest[0] != "peer" || rest[1] != "name" {
				return false
			}
			l.peer = &link{name: rest[2]}
			return l.peer.read(rest[3:]) && l.peer.kind == "" && l.peer.master == ""
		default:
			return false
		}
		words = words[2:]
	}
	return true
}

func (l *link) request(conn *netlink.Conn) error {
	var open []*os.File // until the kernel has read it
	defer func() {
		for _, f := range open {
			_ = f.Close()
		}
	}()
	body, err := l.body(&open)
	if err != nil {
		return err
	}
	flags := netlink.HeaderFlags(0)
	if l.add {
		flags = netlink.Create | netlink.Excl
	}
	return execute(conn, unix.RTM_NEWLINK, flags, body)
}

// body also opens what it speaks of.
func (l *link) body(open *[]*os.File) ([]byte, error) {
	header := make([]byte, unix.SizeofIfInfomsg)
	if l.up {
		binary.NativeEndian.PutUint32(header[8:], unix.IFF_UP)
		binary.NativeEndian.PutUint32(header[12:], unix.IFF_UP)
	}
	ae := netlink.NewAttributeEncoder()
	ae.String(unix.IFLA_IFNAME, l.name)
	if l.mtu != 0 {
		ae.Uint32(unix.IFLA_MTU, l.mtu)
	}
	if l.master != "" {
		index, err := deviceIndex(l.master)
		if err != nil {
			return nil, err
		}
		ae.Uint32(unix.IFLA_MASTER, index)
	}
	if l.netns != "" {
		ns, err := os.Open(filepath.Join(netnsDir, l.netns))
		if err != nil {
			return nil, err
		}
		*open = append(*open, ns)
		ae.Uint32(unix.IFLA_NET_NS_FD, uint32(ns.Fd()))
	}
	if l.kind != "" {
		ae.Nested(unix.IFLA_LINKINFO, func(info *netlink.AttributeEncoder) error {
			info.String(unix.IFLA_INFO_KIND, l.kind)
			if l.peer == nil {
				return nil
			}
			info.Nested(unix.IFLA_INFO_DATA, func(data *netlink.AttributeEncoder) error {
				const vethInfoPeer = 1
				data.Do(vethInfoPeer, func() ([]byte, error) { return l.peer.body(open) })
				return nil
			})
			return nil
		})
	}
	attrs, err := ae.Encode()
	return append(header, attrs...), err
}

// An address is what "addr add" gives a device.
type address struct {
	prefix netip.Prefix
	device string
	flags  byte
}

func (a *address) read(text string, words []string) bool {
	var err error
	if a.prefix, err = netip.ParsePrefix(text); err != nil || len(words) < 2 || words[0] != "dev" {
		return false
	}
	a.device = words[1]
	if len(words) == 3 && words[2] == "nodad" {
		a.flags, words = unix.IFA_F_NODAD, words[:2]
	}
	return len(words) == 2
}

func (a *address) request(conn *netlink.Conn) error {
	index, err := deviceIndex(a.device)
	if err != nil {
		return err
	}
	body := []byte{ipDomain(a.prefix.Addr()), byte(a.prefix.Bits()), a.flags, 0}
	body = binary.NativeEndian.AppendUint32(body, index)
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.IFA_LOCAL, a.prefix.Addr().AsSlice())
	ae.Bytes(unix.IFA_ADDRESS, a.prefix.Addr().AsSlice())
	attrs, err := ae.Encode()
	if err != nil {
		return err
	}
	return execute(conn, unix.RTM_NEWADDR, netlink.Create|netlink.Excl, append(body, attrs...))
}

// An ipRoute is what "route add" adds.
type ipRoute struct {
	flags        netlink.HeaderFlags
	to, via, src netip.Addr
	mtu          uint32
}

func (r *ipRoute) read(to string, words []string) bool {
	var err error
	if r.to, err = netip.ParseAddr(to); err != nil || len(words)%2 != 0 {
		return false
	}
	for ; len(words) > 0 && err == nil; words = words[2:] {
		switch words[0] {
		case "via":
			r.via, err = netip.ParseAddr(words[1])
		case "src":
			r.src, err = netip.ParseAddr(words[1])
		case "mtu":
			var n uint64
			n, err = strconv.ParseUint(words[1], 10, 32)
			r.mtu = uint32(n)
		default:
			return false
		}
	}
	return err == nil && r.via.IsValid() && r.src.IsValid()
}

func (r *ipRoute) request(conn *netlink.Conn) error {
	body := []byte{ipDomain(r.to), byte(r.to.BitLen()), 0, 0,
		unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0}
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.RTA_DST, r.to.AsSlice())
	ae.Bytes(unix.RTA_GATEWAY, r.via.AsSlice())
	ae.Bytes(unix.RTA_PREFSRC, r.src.AsSlice())
	if r.mtu != 0 {
		ae.Nested(unix.RTA_METRICS, func(metrics *netlink.AttributeEncoder) error {
			metrics.Uint32(unix.RTAX_MTU, r.mtu)
			return nil
		})
	}
	attrs, err := ae.Encode()
	if err != nil {
		return err
	}
	return execute(conn, unix.RTM_NEWROUTE, r.flags, append(body, attrs...))
}

func execute(conn *netlink.Conn, kind netlink.HeaderType, flags netlink.HeaderFlags, body []byte) error {
	_, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   body,
	})
	return err
}

func ipDomain(a netip.Addr) byte {
	if a.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// deviceIndex is the number of a device of the thread's namespace.
func deviceIndex(name string) (index uint32, err error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	err = control(func(fd int) error { return unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request) })
	if err != nil {
		return 0, fmt.Errorf("find device %s: %w", name, err)
	}
	return request.Uint32(), nil
}

// control does something to a device of the thread's namespace.
func control(do func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return do(fd)
}

// offloads turns those of a device "on" or "off", as ethtool -K does.
func (h *host) offloads(t *testing.T, device, state string) {
	t.Helper()
	value := struct{ command, on uint32 }{}
	if state == "on" {
		value.on = 1
	}
	// struct ifreq, with a pointer.
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], device)
	err := h.in(func() error {
		return control(func(fd int) error {
			for _, value.command = range []uint32{unix.ETHTOOL_SRXCSUM, unix.ETHTOOL_STXCSUM,
				unix.ETHTOOL_SSG, unix.ETHTOOL_STSO, unix.ETHTOOL_SGSO, unix.ETHTOOL_SGRO} {
				_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
				if errno != 0 {
					return errno
				}
			}
			return nil
		})
	})
	if err != nil {
		t.Fatalf("turn offloads of %s of %s %s: %v", device, h.name, state, err)
	}
}

// The devices of a rig are as ip and ethtool would have made them.
func TestDevicesOfARig(t *testing.T) { eachFamily(t, testDevicesOfARig) }

func testDevicesOfARig(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	r.linkMTU(t, 1, 1400)
	r.offloads(t, "off")
	mb := r.middleboxes()[0]
	mb.ip(t, r.narrow(1, 1300))
	check := func(out string, want ...string) {
		t.Helper()
		for _, want := range want {
			if !strings.Contains(out, want) {
				t.Errorf("want %q in:\n%s", want, out)
			}
		}
	}
	features := func(state string) []string {
		return []string{"rx-checksumming: " + state, "tx-checksumming: " + state, "scatter-gather: " + state,
			"tcp-segmentation-offload: " + state, "generic-segmentation-offload: " + state, "generic-receive-offload: " + state}
	}
	// Their state by RFC 2863 comes a moment later.
	check(mb.run(t, "ip", "link", "show", "left"), "mtu 1500", "UP,LOWER_UP")
	check(mb.run(t, "ip", "addr", "show", "right"), "mtu 1400", "UP,LOWER_UP", fmt.Sprintf(" %s scope global", r.link(2, 1)))
	check(mb.run(t, "ip", "addr", "show", "lo"), "UP", fmt.Sprintf(" %s/%d scope global", mb.addr, f.hostBits))
	check(strings.ReplaceAll(mb.run(t, "ip", "route", "get", r.server().addr.String()), " from :: ", " "),
		fmt.Sprintf("%s via %s dev right", r.server().addr, r.link(2, 2).Addr()), fmt.Sprintf("src %s", mb.addr), "mtu 1300")
	check(mb.run(t, "ethtool", "-k", "left"), features("off")...)
	r.offloads(t, "on")
	check(mb.run(t, "ethtool", "-k", "left"), features("on")...)
}
