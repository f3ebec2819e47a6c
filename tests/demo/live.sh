# SPDX-License-Identifier: Apache-2.0
#
# The step in which the chain of a download changes while it runs. Sourced by guest.
# shellcheck shell=bash disable=SC2154

OUT=$TOP/build/vm-out/demo
PLOT=$OUT/throughput.svg

# Seconds since the download began, with milliseconds.
since() {
	awk -v now="$EPOCHREALTIME" -v began="$BEGAN" 'BEGIN { printf "%.3f\n", now - began }'
}

# Writes down how many bytes the client has, five times a second, until process $1
# has ended.
sample() {
	while kill -0 "$1" 2>/dev/null; do
		echo "$(since) $(stat -c %s "$DIR/got" 2>/dev/null || echo 0)" >>"$DIR/samples"
		read -r -t 0.2 <> <(:) || true
	done
}

# Prints how many resets two hosts have sent and seen, and segments sent again because
# others had come before them.
troubles() {
	local host
	for host in client server; do
		on "$host" nstat -asz TcpEstabResets TcpOutRsts TcpExtTCPFastRetrans
	done | awk '/^Tcp/ { sum[$1] += $2 } END { print sum["TcpEstabResets"] + sum["TcpOutRsts"], sum["TcpExtTCPFastRetrans"] }'
}

has_begun() {
	(($(stat -c %s "$DIR/got" 2>/dev/null || echo 0) > 4 << 20))
}

# Runs mbctl migrate with these arguments for the download, and marks the plot.
change() {
	local mark=$1
	shift
	typed "mbctl migrate $* --wait" </dev/null
	echo "$(since) $mark" >>"$DIR/marks"
	mbctl migrate "$@" --wait >"$DIR/migrate" 2>&1 || {
		indent <"$DIR/migrate"
		fail "mbctl migrate $1"
	}
	indent <"$DIR/migrate"
}

# Fails unless the download passes the hosts of these names.
passes() {
	local got
	await "see the chain $*" chain_is "$*"
	got=$(mbctl session show --match "srcport=$PORT")
	typed "mbctl session show" <<<"$got"
}

chain_is() {
	[[ $(mbctl --json session show --match "srcport=$PORT" | jq -r '[.session.hosts[].name] | join(" ")') == "$1" ]]
}

# An instance of the firewall that has no session yet, and an IDS that gets copies. A
# firewall that meets a connection in its middle refuses it here, as careful ones do.
bring_up_others() {
	on mb3 nft -f "$HERE/firewall.nft"
	on mb1 sysctl -q net.netfilter.nf_conntrack_tcp_loose=0
	on mb3 sysctl -q net.netfilter.nf_conntrack_tcp_loose=0
	on mb4 ip link add ids0 type dummy
	on mb4 ip link set ids0 up
	lab agent mb4 stop
	lab agent mb4 start --nf tap:ids0
	on mb4 prads -i ids0 -l "$DIR/prads.log" -q >"$DIR/prads.out" 2>&1 &
}

step_live() {
	local download url=http://$SERVER/slow/file before after
	step "The chain changes while a download runs"
	say "mb3 has the same firewall as mb1, without a connection in it, and refuses what it has not seen" \
		"begin. On mb4 prads, an IDS that looks on, waits for copies of packets. One download, at" \
		"some 100 Mbit/s so that there is time to look:"
	bring_up_others
	before=$(troubles)
	BEGAN=$EPOCHREALTIME
	: >"$DIR/samples"
	: >"$DIR/marks"
	typed "client: curl $url" </dev/null
	on client curl -sS --fail --max-time 240 -o "$DIR/got" "$url" </dev/null &
	download=$!
	sample "$download" &
	await "see the download begin" has_begun
	PORT=$(download_port)
	change "+ids" insert --match "srcport=$PORT" --host mb4 --after mb1
	passes client mb1 mb4 mb2 server
	change "firewall" replace --match "srcport=$PORT" --from mb1 --to mb3 --guarantee ordered --state conntrack
	passes client mb3 mb4 mb2 server
	check_state
	change "-ids" remove --match "srcport=$PORT" --host mb4
	kill -0 "$download" 2>/dev/null || fail "the download was over before its chain had changed three times"
	passes client mb3 mb2 server
	mbctl migrate list | typed "mbctl migrate list"
	say "waiting for the rest of the file"
	attend "$download" || fail "curl failed"
	after=$(troubles)
	check_live "$before" "$after"
	draw
}

# The firewall that came must have the connection as the one that went had it.
check_state() {
	on mb3 conntrack -L -p tcp --orig-port-src "$PORT" 2>/dev/null |
		sed 's/ src=/\n  src=/2' | tee "$DIR/conntrack" | typed "mb3: conntrack -L"
	grep -q 'ESTABLISHED src=.*' "$DIR/conntrack" || fail "mb3's firewall does not know the connection as established"
	grep -q ASSURED "$DIR/conntrack" || fail "mb3's firewall does not know the connection as assured"
	ok "the firewall on mb3 knows the connection, which it has not seen begin"
}

check_live() {
	local got sent copies
	read -r sent _ <"$DIR/server.sum"
	read -r got _ < <(sha256sum "$DIR/got")
	say "server  $sent" "client  $got"
	[[ $got == "$sent" ]] || fail "what the client got is not what the server sent"
	[[ ${1% *} == "${2% *}" ]] || fail "resets: ${1% *} before, ${2% *} afterwards"
	copies=$(on mb4 ip -s -j link show ids0 | jq '.[0].stats64.tx.packets')
	((copies > 0)) || fail "the IDS got no packet"
	ok "the same SHA-256, no reset, $((${2#* } - ${1#* })) segments lost; the IDS got copies of $copies packets"
}

# Draws the throughput in the terminal, and as a picture.
draw() {
	mkdir -p "$OUT"
	awk -v blocks="$([[ $LC_ALL == *UTF-8 ]] && echo 1)" -v svg="$PLOT" -f "$HERE/plot.awk" "$DIR/marks" "$DIR/samples" |
		typed "throughput of the download, and when its chain changed"
	say "The same as a picture: build/vm-out/demo/throughput.svg"
}
