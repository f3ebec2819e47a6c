// SPDX-License-Identifier: Apache-2.0

package main

// A scenario is one way to get a packet from the client to the server.
type scenario struct {
	name   string
	target string // what the client connects to
	setUp  string // a shell script on the middle host
	remote string // and on the server
	module bool   // mbchain is loaded, with keys on every host
	chain  bool   // and the client has a policy that leads through the middle
}

const (
	// Frames carry no believable sequence numbers, and the checksum of none
	// of them is looked at by a plain router either.
	liberal = `sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1 net.netfilter.nf_conntrack_checksum=0
`
	track = `modprobe nf_conntrack
nft add table ip t
nft 'add chain ip t f { type filter hook forward priority 0; policy accept; }'
nft add rule ip t f ct state established,related accept
` + liberal
	nat = `nft add table ip t
nft 'add chain ip t pre { type nat hook prerouting priority dstnat; }'
nft 'add chain ip t post { type nat hook postrouting priority srcnat; }'
nft add rule ip t pre ip daddr ` + middleAddr + ` tcp dport 80 dnat to ` + serverAddr + `
nft add rule ip t post oifname m1 masquerade
` + liberal
)

// tunnel is the script of both ends of a tunnel device t0.
func tunnel(link string) string {
	return "ip link add t0 type " + link + "\nip link set t0 up\n"
}

var scenarios = []scenario{
	{name: "plain IPv4 forwarding", target: serverAddr},
	{name: "plain forwarding with conntrack", target: serverAddr, setUp: track},
	{
		name: "nftables flowtable, source and destination NAT", target: middleAddr,
		setUp: nat + `nft 'add flowtable ip t ft { hook ingress priority 0; devices = { m0, m1 }; }'
nft 'add chain ip t f { type filter hook forward priority 0; policy accept; }'
nft add rule ip t f ip protocol tcp flow add @ft
`,
	},
	{
		name: "IPVS masquerading", target: middleAddr,
		setUp: `modprobe ip_vs; modprobe ip_vs_rr
ipvsadm -A -t ` + middleAddr + `:80 -s rr
ipvsadm -a -t ` + middleAddr + `:80 -r ` + serverAddr + `:80 -m
`,
	},
	{name: "conntrack source and destination NAT", target: middleAddr, setUp: nat},
	{
		name: "GENEVE encapsulation", target: tunnelAddr,
		setUp: tunnel("geneve id 7 remote "+serverAddr) +
			"ip addr add 10.9.0.1/24 dev t0\n",
		remote: tunnel("geneve id 7 remote "+middleOutAddr) +
			"ip addr add " + tunnelAddr + "/24 dev t0\n",
	},
	{
		name: "IPIP encapsulation", target: tunnelAddr,
		setUp: tunnel("ipip local "+middleOutAddr+" remote "+serverAddr) +
			"ip addr add 10.9.0.1/24 dev t0\n",
		remote: tunnel("ipip local "+serverAddr+" remote "+middleOutAddr) +
			"ip addr add " + tunnelAddr + "/24 dev t0\n",
	},
	{
		name: "VXLAN encapsulation", target: tunnelAddr,
		setUp: tunnel("vxlan id 7 remote "+serverAddr+" dstport 4789") +
			"ip addr add 10.9.0.1/24 dev t0\n",
		remote: tunnel("vxlan id 7 remote "+middleOutAddr+" dstport 4789") +
			"ip addr add " + tunnelAddr + "/24 dev t0\n",
	},
	{name: "mbchain, inline NF", target: serverAddr, module: true, chain: true},
	{
		name: "mbchain, inline NF with conntrack", target: serverAddr, setUp: track,
		module: true, chain: true,
	},
	{name: "plain forwarding beside mbchain, no policy matches", target: serverAddr, module: true},
}
