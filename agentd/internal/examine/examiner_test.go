// SPDX-License-Identifier: Apache-2.0

package examine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/identity"
	"mbchain/proto"
)

// nobody has no certificate.
type nobody struct{}

func (nobody) Bundle() (*identity.Bundle, error) { return nil, errors.New("none") }

// root is a file system with these files.
func root(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSettings(t *testing.T) {
	const conntrack = "proc/sys/net/netfilter/nf_conntrack_"
	tests := []struct {
		name  string
		files map[string]string
		want  *proto.Examination
	}{
		{"nothing", nil, &proto.Examination{}},
		{"forwarding", map[string]string{"proc/sys/net/ipv4/ip_forward": "1\n", "proc/sys/net/ipv6/conf/all/forwarding": "0\n"},
			&proto.Examination{Forward4: true}},
		{"conntrack", map[string]string{conntrack + "tcp_be_liberal": "0\n", conntrack + "count": "12\n"},
			&proto.Examination{Conntrack: &proto.Conntrack{Entries: 12}}},
		{"liberal", map[string]string{conntrack + "tcp_be_liberal": "1\n", conntrack + "count": "0\n"},
			&proto.Examination{Conntrack: &proto.Conntrack{Liberal: true}}},
		{"no number", map[string]string{"proc/sys/net/ipv4/ip_forward": "yes\n"},
			&proto.Examination{Problems: []string{`read setting: strconv.ParseUint: parsing "yes": invalid syntax`}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := &proto.Examination{}
			New(Config{Root: root(t, test.files), Identity: nobody{}}).settings(got)
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("examination (-want +got):\n%s", diff)
			}
		})
	}
}

// The host that runs the test has devices, if only those of a container.
func TestDevices(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	files, want := map[string]string{"proc/sys/net/ipv4/conf/all/rp_filter": "1"}, map[string]uint32{}
	for _, d := range all {
		if d.Flags&net.FlagUp != 0 && d.Flags&net.FlagLoopback == 0 {
			files["proc/sys/net/ipv4/conf/"+d.Name+"/rp_filter"] = "2"
			want[d.Name] = uint32(d.MTU)
		}
	}
	x := &proto.Examination{}
	mtus := New(Config{Root: root(t, files), Identity: nobody{}}).devices(x)
	got := map[string]uint32{}
	for _, d := range x.Devices {
		got[d.Name] = d.Mtu
		if d.RpFilter != 2 {
			t.Errorf("rp_filter of %s is %d, want 2: the larger of its own and that of all", d.Name, d.RpFilter)
		}
		if !slices.Contains(mtus, int(d.Mtu)) {
			t.Errorf("MTU %d of %s is not among %v", d.Mtu, d.Name, mtus)
		}
	}
	if len(want) <= maxDevices {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("devices and their MTUs (-want +got):\n%s", diff)
		}
	}
	if !slices.IsSortedFunc(mtus, func(a, b int) int { return b - a }) || len(slices.Compact(slices.Clone(mtus))) != len(mtus) {
		t.Errorf("MTUs %v, want each once, the largest first", mtus)
	}
	if len(x.Problems) > 0 {
		t.Errorf("problems: %q", x.Problems)
	}
}

func TestOffloadsOfLoopback(t *testing.T) {
	got, err := offloads("lo")
	if err != nil || got == nil || !got.Tso || !got.TxChecksum {
		t.Errorf("offloads of lo: %v, %v, want TSO and checksums, which it always has", got, err)
	}
	if got, err := offloads("no-such-device"); got != nil || err != nil {
		t.Errorf("offloads of no device: %v, %v", got, err)
	}
	if _, err := ethtool(-1, strings.Repeat("x", unix.IFNAMSIZ), unix.ETHTOOL_GTSO); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a name that is too long: %v", err)
	}
}

func TestNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := make([]netip.Addr, maxNeighbours+3)
		for i := range hosts {
			hosts[i] = netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})
		}
		e := New(Config{
			Root: t.TempDir(), Identity: nobody{},
			Try: func(ctx context.Context, host netip.Addr) error {
				switch host {
				case hosts[0]:
					return nil
				case hosts[1]:
					<-ctx.Done()
					return fmt.Errorf("dial: %w", ctx.Err())
				}
				return errors.New("refused")
			},
			Echo: func(_ context.Context, host netip.Addr, _ []int) Echoed {
				if host == hosts[0] {
					return Echoed{Link: 1500, Path: 1400, Short: true}
				}
				return Echoed{Err: errors.New("not permitted")}
			},
		})
		x, began := &proto.Examination{}, time.Now()
		if err := e.Examine(t.Context(), x, hosts); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != tryTime {
			t.Errorf("it took %v, want %v: all are tried at once", took, tryTime)
		}
		if len(x.Neighbours) != maxNeighbours || x.MoreNeighbours != 3 {
			t.Fatalf("%d neighbours and %d more, want %d and 3", len(x.Neighbours), x.MoreNeighbours, maxNeighbours)
		}
		want := []*proto.Neighbour{
			{Address: "10.0.0.1", LinkMtu: 1500, PathMtu: 1400, Echoed: true},
			{Address: "10.0.0.2", Error: "no answer within 1.5s", EchoError: "not permitted"},
			{Address: "10.0.0.3", Error: "refused", EchoError: "not permitted"},
		}
		if diff := cmp.Diff(want, x.Neighbours[:3], protocmp.Transform()); diff != "" {
			t.Errorf("neighbours (-want +got):\n%s", diff)
		}
	})
}

// One examination at a time: each opens connections to others.
func TestExaminationsAreNotMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(Config{
			Root: t.TempDir(), Identity: nobody{},
			Echo: func(context.Context, netip.Addr, []int) Echoed { return Echoed{} },
			Try:  func(context.Context, netip.Addr) error { time.Sleep(time.Second); return nil },
		})
		hosts := []netip.Addr{netip.MustParseAddr("10.0.0.1")}
		for range 2 { // the second time all is over
			errs := make(chan error, 3)
			for range 3 {
				go func() { errs <- e.Examine(t.Context(), &proto.Examination{}, hosts) }()
			}
			refused := 0
			for range 3 {
				if err := <-errs; errors.Is(err, ErrBusy) {
					refused++
				} else if err != nil {
					t.Error(err)
				}
			}
			if refused != 2 {
				t.Errorf("%d of 3 are refused, want 2", refused)
			}
		}
	})
}
