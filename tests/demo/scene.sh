# SPDX-License-Identifier: Apache-2.0
#
# What the demo brings up: the hosts, their network functions, the servers, the
# policy. Sourced by guest.
# shellcheck shell=bash disable=SC2034

ROW=(client mb1 mb2 server) # the chain of the policy; mb3 and mb4 stand between mb2 and server
CLIENT=10.0.0.1
SERVER=10.0.0.6
CLIENT6=fd00::1
SERVER6=fd00::6
WEB=80
CLOSED=8080 # the firewall refuses it
IPERF=5201
DNS=53
NAME=www.chain.test
SIZE=$((256 << 20))

lab() {
	"$TOP/tests/lab" "$@"
}

# Runs a command on a host, as tests/lab exec does, but the check whether there
# is such a host.
on() {
	ip netns exec "$@"
}

mbctl() {
	lab mbctl "$@"
}

# Numbered lines: one that is lost, doubled or moved changes the hash.
make_file() {
	mkdir -p "$DIR/www/files"
	seq 2000000 >"$DIR/www/files/small" # 15 MB
	# A pipe would take five times as long here.
	seq 31100000 >"$DIR/www/files/file"
	truncate -s "$SIZE" "$DIR/www/files/file"
	sha256sum "$DIR/www/files/file" >"$DIR/server.sum"
}

bring_up_hosts() {
	lab up chain --middleboxes 4 --nf-type mb1=firewall --nf-type mb2=monitor --nf-type mb3=firewall --nf-type mb4=ids &
	attend $! || fail "bring up the hosts"
	lab hosts | typed "tests/lab hosts"
}

load_network_functions() {
	on mb1 nft -f "$HERE/firewall.nft"
	on mb2 nft -f "$HERE/monitor.nft"
}

listens() {
	[[ -n $(on server ss -Htln "sport = :$1") ]]
}

start_servers() {
	mkdir -p "$DIR/www/files"
	on server nginx -p "$DIR/www" -c "$HERE/nginx.conf" -e "$DIR/www/error.log"
	on server iperf3 --server >"$DIR/iperf3.log" 2>&1 &
	on server dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts \
		--bind-interfaces --listen-address="$SERVER" --host-record="$NAME,192.0.2.80" >"$DIR/dnsmasq.log" 2>&1 &
	await "start nginx" listens "$WEB"
	await "start iperf3" listens "$IPERF"
	await "start dnsmasq" listens "$DNS"
}

apply_policy() {
	local policy=tests/demo/chain.policy
	mbctl policy check "$policy" | typed "mbctl policy check $policy"
	mbctl policy apply --wait "$policy" | typed "mbctl policy apply --wait $policy"
}
