// SPDX-License-Identifier: Apache-2.0

package sockdiag

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"mbchain/chain"
)

// connect returns both ends of a connection of this host with itself.
func connect(t *testing.T, address string) (client, server *net.TCPConn, listener net.Listener) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range []interface{ Close() error }{near, far, listener} {
			_ = c.Close()
		}
	})
	return near.(*net.TCPConn), far.(*net.TCPConn), listener
}

func tupleOf(c *net.TCPConn) chain.FiveTuple {
	return chain.FiveTuple{
		Source:      c.LocalAddr().(*net.TCPAddr).AddrPort(),
		Destination: c.RemoteAddr().(*net.TCPAddr).AddrPort(),
		Protocol:    chain.ProtocolTCP,
	}
}

// Not skipped where the kernel or the rights are missing: agentd needs both.
func TestDestroyEndsAConnection(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			client, server, _ := connect(t, address)
			tuple := tupleOf(client)
			if err := Destroy(t.Context(), tuple); errors.Is(err, unix.EPERM) {
				t.Fatalf("%v: run this test as root", err)
			} else if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNABORTED) {
				t.Errorf("the client reads: %v, want ECONNABORTED", err)
			}
			if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the server reads: %v, want ECONNRESET", err)
			}
			if err := Destroy(t.Context(), tuple); !errors.Is(err, ErrNotFound) {
				t.Errorf("a second time: %v, want ErrNotFound", err)
			}
		})
	}
}

// The kernel looks among listening sockets where it finds no connection.
func TestDestroySparesWhoListens(t *testing.T) {
	client, _, listener := connect(t, "127.0.0.1:0")
	tuple := tupleOf(client).Reverse()
	tuple.Destination = netip.AddrPortFrom(tuple.Destination.Addr(), 1) // nobody's
	if err := Destroy(t.Context(), tuple); !errors.Is(err, ErrNotFound) {
		t.Errorf("destroy: %v, want ErrNotFound", err)
	}
	again, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatalf("nobody listens any more: %v", err)
	}
	_ = again.Close()
}

// kernel answers as it is told, and keeps what it was asked.
type kernel struct {
	asked   []netlink.Message
	answers []netlink.Message
	errs    []error
}

func (k *kernel) Execute(m netlink.Message) ([]netlink.Message, error) {
	k.asked = append(k.asked, m)
	var err error
	if len(k.errs) > 0 {
		err, k.errs = k.errs[0], k.errs[1:]
	}
	return k.answers, err
}

func TestDestroyByItsMessages(t *testing.T) {
	found := func(state byte, id string) []netlink.Message {
		b, err := hex.DecodeString("02" + hex.EncodeToString([]byte{state}) + "0000" + strings.ReplaceAll(id, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return []netlink.Message{{Data: append(b, make([]byte, 20)...)}}
	}
	const zero12 = "000000000000000000000000"
	const ends = "9c400050 0a000001" + zero12 + "0a000004" + zero12
	tests := []struct {
		name    string
		answers []netlink.Message
		errs    []error
		orders  int
		want    string
	}{
		{"a connection", found(established, ends+"00000000 0102030405060708"), nil, 2, ""},
		{"none", nil, []error{unix.ENOENT}, 1, ErrNotFound.Error()},
		{"a listening socket", found(10, ends+"00000000 0102030405060708"), nil, 1, ErrNotFound.Error()},
		{"one in TIME_WAIT", found(6, ends+"00000000 0102030405060708"), nil, 1, ErrNotFound.Error()},
		{"another one", found(established, "9c400051"+ends[8:]+"00000000 0102030405060708"), nil, 1, ErrNotFound.Error()},
		{"half a message", []netlink.Message{{Data: make([]byte, messageLen-1)}}, nil, 1, "read socket: 71 bytes, want 72"},
		{"a kernel that cannot", found(established, ends+"00000000 0102030405060708"), []error{nil, unix.EOPNOTSUPP}, 2,
			"end connection: the kernel has no CONFIG_INET_DIAG_DESTROY: operation not supported"},
		{"it ends meanwhile", found(established, ends+"00000000 0102030405060708"), []error{nil, unix.ENOENT}, 2, ErrNotFound.Error()},
		{"no rights", nil, []error{unix.EPERM}, 1, "find socket: operation not permitted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kernel{answers: tt.answers, errs: tt.errs}
			err := destroyBy(k, chain.FiveTuple{Source: netip.MustParseAddrPort("10.0.0.1:40000"),
				Destination: netip.MustParseAddrPort("10.0.0.4:80"), Protocol: chain.ProtocolTCP})
			if got := errorText(err); got != tt.want || len(k.asked) != tt.orders {
				t.Fatalf("error %q after %d requests, want %q after %d", got, len(k.asked), tt.want, tt.orders)
			}
			golden := []string{
				"0206 0000 ffffffff" + ends + "00000000 ffffffffffffffff",
				"0206 0000 ffffffff" + ends + "00000000 0102030405060708",
			}
			for i, m := range k.asked {
				want, err := hex.DecodeString(strings.ReplaceAll(golden[i], " ", ""))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(m.Data, want) {
					t.Errorf("request %d (-want +got):\n%s", i, cmp.Diff(hex.Dump(want), hex.Dump(m.Data)))
				}
			}
			if first := k.asked[0].Header; first.Type != 20 || first.Flags != netlink.Request {
				t.Errorf("first request %+v", first)
			}
			if tt.orders == 2 && (k.asked[1].Header.Type != 21 || k.asked[1].Header.Flags != netlink.Request|netlink.Acknowledge) {
				t.Errorf("second request %+v", k.asked[1].Header)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzParse(f *testing.F) {
	f.Add(make([]byte, messageLen))
	f.Add(make([]byte, messageLen-1))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parse(data)
		if (err == nil) != (len(data) >= messageLen) {
			t.Fatalf("%d bytes: %v", len(data), err)
		}
		if err == nil && (s.state != data[1] || !bytes.Equal(s.id[:], data[4:52])) {
			t.Fatalf("%x read as %+v", data, s)
		}
	})
}
