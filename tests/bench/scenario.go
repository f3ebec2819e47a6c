// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/ecdh"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"

	"mbchain/genl"
)

// A scenario is one way for a packet to get from the client to the server: what
// the middle host does.
type scenario struct {
	family   *family
	protocol uint8
	sessions int

	to     netip.Addr // where clients send to, when it is not the server
	setUp  string     // a shell script on the middle host
	remote string     // and on the server
	open   bool       // connections are opened, with packets both ways
	pktgen bool       // the kernel's generator sends them
	async  bool       // packets are dealt with by others than who sends them

	module bool    // mbchain is loaded there
	idle   bool    // without a key
	chain  bool    // and the middle host is in the flows' chain
	rules  ruleSet // its own policy
	beside int     // sessions of other connections
	nf     genl.NF // how the NF there gets its packets
}

// NFs that need devices, and how to make these.
const (
	tapDevice       = "ip link add ids type dummy && ip link set ids up"
	redirectDevices = "ip link add nf-in type veth peer name nf-out && ip link set nf-in up && ip link set nf-out up"
)

var (
	tapNF      = genl.NF{Mode: genl.NFTap, Devices: []string{"ids"}}
	redirectNF = genl.NF{Mode: genl.NFRedirect, Devices: []string{"nf-in", "nf-out"}}
)

const tunnelAddr = "10.9.0.2" // the server at the end of a tunnel

// liberal makes conntrack take frames that carry the same data over and over,
// and whose checksums no device has looked at.
const liberal = `sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1 net.netfilter.nf_conntrack_checksum=0
`

// big makes conntrack as large as 100,000 sessions need; it is one for all
// namespaces, and set from the first one.
const big = `modprobe nf_conntrack
sysctl -qw net.netfilter.nf_conntrack_buckets=262144 net.netfilter.nf_conntrack_max=1048576
`

func track(f *family) string {
	return `nft add table inet t
nft 'add chain inet t f { type filter hook forward priority 0; policy accept; }'
nft add rule inet t f ct state established,related accept
` + liberal
}

func nat(f *family) string {
	return fmt.Sprintf(`nft add table %[1]s t
nft 'add chain %[1]s t pre { type nat hook prerouting priority dstnat; }'
nft 'add chain %[1]s t post { type nat hook postrouting priority srcnat; }'
nft add rule %[1]s t pre %[1]s daddr %[2]s meta l4proto { tcp, udp } th dport %[3]d-%[4]d dnat to %[5]s
nft add rule %[1]s t post oifname m1 masquerade
`, f.nft, f.middle, httpPort, httpPort+9, f.server) + liberal
}

func flowtable(f *family) string {
	return nat(f) + fmt.Sprintf(`nft 'add flowtable %[1]s t ft { hook ingress priority 0; devices = { m0, m1 }; }'
nft 'add chain %[1]s t f { type filter hook forward priority 0; policy accept; }'
nft add rule %[1]s t f meta l4proto { tcp, udp } flow add @ft
`, f.nft)
}

func ipvs(f *family) string {
	var b strings.Builder
	for port := httpPort; port < httpPort+3; port++ {
		service := netip.AddrPortFrom(f.middle, uint16(port))
		fmt.Fprintf(&b, "ipvsadm -A -t %[1]s -s rr\nipvsadm -a -t %[1]s -r %[2]s -m\n",
			service, netip.AddrPortFrom(f.server, uint16(port)))
	}
	return b.String()
}

// tunnel is a scenario with a tunnel device t0 between middle host and server.
func tunnel(from, to string) scenario {
	end := func(link, addr string) string {
		return "ip link add t0 type " + link + "\nip link set t0 up\nip addr add " + addr + "/24 dev t0\n"
	}
	return scenario{
		family: ipv4, to: netip.MustParseAddr(tunnelAddr),
		setUp: end(from, "10.9.0.1"), remote: end(to, tunnelAddr),
	}
}

// wireguard is a tunnel, too. Its keys are made up here.
func wireguard() scenario {
	s := tunnel("wireguard", "wireguard")
	s.setUp += wireguardEnd(1, 2, ipv4.server)
	s.remote += wireguardEnd(2, 1, ipv4.middleOut)
	s.async = true
	return s
}

func wireguardEnd(own, peer byte, at netip.Addr) string {
	return fmt.Sprintf("echo %s | wg set t0 listen-port 51820 private-key /dev/stdin "+
		"peer %s allowed-ips 0.0.0.0/0 endpoint %s:51820\n",
		text(wireguardKey(own).Bytes()), text(wireguardKey(peer).PublicKey().Bytes()), at)
}

func text(key []byte) string { return base64.StdEncoding.EncodeToString(key) }

func wireguardKey(n byte) *ecdh.PrivateKey {
	k, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		panic(err) // any 32 bytes are a key
	}
	return k
}
