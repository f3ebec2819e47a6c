// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mbchain/chain"
)

var compareAddr = cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{})

func tuple(source, destination string, protocol uint8) chain.FiveTuple {
	return chain.FiveTuple{
		Source:      netip.MustParseAddrPort(source),
		Destination: netip.MustParseAddrPort(destination),
		Protocol:    protocol,
	}
}

func TestParseFiveTuple(t *testing.T) {
	web := tuple("10.0.0.1:40000", "10.0.0.4:80", chain.ProtocolTCP)
	tests := []struct {
		name string
		in   string
		want chain.FiveTuple
	}{
		{"arrow and protocol last", "10.0.0.1:40000 > 10.0.0.4:80 tcp", web},
		{"arrow without blanks", "10.0.0.1:40000>10.0.0.4:80 tcp", web},
		{"protocol first", "tcp 10.0.0.1:40000 10.0.0.4:80", web},
		{"protocol first and arrow", "tcp 10.0.0.1:40000 > 10.0.0.4:80", web},
		{"tcp is the default", "10.0.0.1:40000 10.0.0.4:80", web},
		{"blanks around", "  tcp\t10.0.0.1:40000  10.0.0.4:80 \n", web},
		{"protocol by number", "6 10.0.0.1:40000 10.0.0.4:80", web},
		{"udp", "10.0.0.1:5353 > 10.0.0.4:53 udp", tuple("10.0.0.1:5353", "10.0.0.4:53", chain.ProtocolUDP)},
		{"other protocol", "10.0.0.1:1 > 10.0.0.4:2 132", tuple("10.0.0.1:1", "10.0.0.4:2", 132)},
		{"ipv6", "[2001:db8::1]:1 > [2001:db8::2]:2 tcp", tuple("[2001:db8::1]:1", "[2001:db8::2]:2", chain.ProtocolTCP)},
		{"ipv6, protocol first", "tcp [fd00::1]:1 [fd00:0::2]:2", tuple("[fd00::1]:1", "[fd00::2]:2", chain.ProtocolTCP)},
		{"ipv4 mapped into ipv6 is ipv4", "[::ffff:10.0.0.1]:40000 10.0.0.4:80", web},
		{"class E", "240.0.0.1:1 10.0.0.4:80", tuple("240.0.0.1:1", "10.0.0.4:80", chain.ProtocolTCP)},
		{"loopback", "127.0.0.1:1 127.0.0.1:2", tuple("127.0.0.1:1", "127.0.0.1:2", chain.ProtocolTCP)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := chain.ParseFiveTuple(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, compareAddr); diff != "" {
				t.Errorf("tuple (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseFiveTupleSaysWhatIsWrong(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", "not of the form SOURCE:PORT > DESTINATION:PORT PROTOCOL"},
		{"one end", "10.0.0.1:1", "not of the form"},
		{"too much", "tcp 10.0.0.1:1 10.0.0.4:80 tcp", "not of the form"},
		{"second arrow", "10.0.0.1:1 >> 10.0.0.4:80 tcp", "not of the form"},
		{"protocol unknown", "sctp 10.0.0.1:1 10.0.0.4:80", `parse protocol "sctp"`},
		{"protocol out of range", "10.0.0.1:1 10.0.0.4:80 256", `parse protocol "256"`},
		{"no port", "10.0.0.1 10.0.0.4:80", `source "10.0.0.1" is not ADDRESS:PORT`},
		{"port out of range", "10.0.0.1:1 10.0.0.4:65536", `destination "10.0.0.4:65536" is not ADDRESS:PORT`},
		{"port 0", "10.0.0.1:0 10.0.0.4:80", "source 10.0.0.1:0 has port 0"},
		{"ipv6 without brackets", "fd00::1:40000 [fd00::4]:80", `source "fd00::1:40000" is not [ADDRESS]:PORT`},
		{"ipv6 without port", "[fd00::1]:1 [fd00::4]", `destination "[fd00::4]" is not ADDRESS:PORT`},
		{"ipv6 group", "[fd00::1]:1 [ff02::1]:80", "destination ff02::1 is not a unicast address"},
		{"zone", "[fe80::1%eth0]:1 [fe80::2]:2", "is not ADDRESS:PORT"},
		{"multicast", "10.0.0.1:1 224.0.0.1:80", "destination 224.0.0.1 is not a unicast address"},
		{"broadcast", "10.0.0.1:1 255.255.255.255:80", "not a unicast address"},
		{"this network", "0.1.2.3:1 10.0.0.4:80", "not a unicast address"},
		{"two families", "10.0.0.1:1 [2001:db8::1]:80", "different families"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := chain.ParseFiveTuple(tt.in)
			if err == nil {
				t.Fatalf("got %v, want an error", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not contain %q", err, tt.want)
			}
		})
	}
}

func TestFiveTupleCheckOfZeroValues(t *testing.T) {
	if err := (chain.FiveTuple{}).Check(); err == nil || err.Error() != "source is missing" {
		t.Errorf("Check() = %v, want source is missing", err)
	}
	mapped := tuple("[::ffff:10.0.0.1]:1", "10.0.0.4:80", chain.ProtocolTCP)
	if mapped.Valid() {
		t.Error("an IPv4 address mapped into IPv6 is valid")
	}
}

func TestFiveTupleReverse(t *testing.T) {
	web := tuple("10.0.0.1:40000", "10.0.0.4:80", chain.ProtocolTCP)
	want := tuple("10.0.0.4:80", "10.0.0.1:40000", chain.ProtocolTCP)
	if diff := cmp.Diff(want, web.Reverse(), compareAddr); diff != "" {
		t.Errorf("reverse (-want +got):\n%s", diff)
	}
	if web.Reverse().Reverse() != web {
		t.Error("reversing twice does not give the tuple back")
	}
}

func TestFiveTupleInJSON(t *testing.T) {
	for _, want := range []chain.FiveTuple{
		tuple("10.0.0.1:40000", "10.0.0.4:80", chain.ProtocolTCP),
		tuple("[fd00::1]:40000", "[fd00::4]:80", chain.ProtocolTCP),
		{},
	} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := tuple("192.0.2.1:1", "192.0.2.2:2", 1)
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, compareAddr); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	var got chain.FiveTuple
	if err := json.Unmarshal([]byte(`"x"`), &got); err == nil {
		t.Error("no error for a string that is no tuple")
	}
}

func FuzzParseFiveTuple(f *testing.F) {
	for _, s := range []string{
		"10.0.0.1:40000 > 10.0.0.4:80 tcp",
		"tcp 10.0.0.1:40000 10.0.0.4:80",
		"[2001:db8::1]:1 > [2001:db8::2]:2 132",
		"[::ffff:10.0.0.1]:1 10.0.0.4:80",
		">", "tcp > >", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, err := chain.ParseFiveTuple(s)
		if err != nil {
			return
		}
		second, err := chain.ParseFiveTuple(first.String())
		if err != nil || first != second {
			t.Errorf("%q reads as %v, which reads as %v, %v", s, first, second, err)
		}
	})
}
