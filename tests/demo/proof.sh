# SPDX-License-Identifier: Apache-2.0
#
# What the demo watches while packets flow, and what it makes of that. Sourced
# by guest.
# shellcheck shell=bash disable=SC2034

LINKS=(client mb1 mb2) # the host at the left of each
RIGHTS=(mb1 mb2 server)
STRAYS=() # pids of the watchers of watch_strays

is_listening() {
	grep -q '^listening on' "$1"
}

# Keeps the first packets of each link in link0, link1, ...
watch_links() {
	local i
	for i in "${!LINKS[@]}"; do
		on "${LINKS[i]}" tcpdump -l -n -q -t -i right -c 6 tcp >"$DIR/link$i" 2>"$DIR/link$i.log" &
	done
	for i in "${!LINKS[@]}"; do
		await "watch the link from ${LINKS[i]}" is_listening "$DIR/link$i.log"
	done
}

# Counts on each link the packets that carry the addresses of both ends.
watch_strays() {
	local i
	for i in "${!LINKS[@]}"; do
		on "${LINKS[i]}" tcpdump -l -n -q -t -i right host "$CLIENT" and host "$SERVER" \
			>"$DIR/stray$i" 2>"$DIR/stray$i.log" &
		STRAYS+=($!)
	done
	for i in "${!LINKS[@]}"; do
		await "watch the link from ${LINKS[i]}" is_listening "$DIR/stray$i.log"
	done
}

end_watch_strays() {
	kill "${STRAYS[@]}"
	wait "${STRAYS[@]}" 2>/dev/null || true
}

links_seen() {
	local i
	for i in "${!LINKS[@]}"; do
		(($(wc -l <"$DIR/link$i") >= 6)) || return 1
	done
}

# The client's own port of the download, as the client's kernel tells.
download_port() {
	on client ss -Htn state established "dport = :$WEB" | awk '{ sub(/.*:/, "", $3); print $3 }'
}

# Prints a line a link: both ends of its subsession, as tcpdump writes them.
subsessions() {
	jq -r '.session.subsessions[].left.tuple |
		"\(.source).\(.source_port) \(.destination).\(.destination_port)"' "$DIR/session.json"
}

# Link $1 must have carried packets of the subsession between $2 and $3 only.
check_link() {
	local packets
	awk -v left="$2" -v right="$3:" -v left2="$2:" -v right2="$3" '
		!($2 == left && $4 == right || $2 == right2 && $4 == left2) { exit 1 }' "$DIR/link$1" ||
		fail "the link from ${LINKS[$1]} carried another session than $2 > $3"
	packets=$(wc -l <"$DIR/stray$1")
	((packets == 0)) || {
		head -n 5 "$DIR/stray$1" | indent >&2
		fail "on the link from ${LINKS[$1]} $packets packets bore the addresses of both ends"
	}
}

check_session() {
	local want=true got
	got=$(jq -r '.session.complete' "$DIR/session.json")
	[[ $got == "$want" ]] || fail "not every host of the chain reported the session"
	got=$(jq -r '[.session.hosts[].name] | join(" ")' "$DIR/session.json")
	want="client mb1 mb2 server"
	[[ $got == "$want" ]] || fail "the session passes '$got', not '$want'"
	got=$(jq -r '.session.super | "\(.source):\(.source_port) \(.destination):\(.destination_port)"' "$DIR/session.json")
	want="$CLIENT:$PORT $SERVER:$WEB"
	[[ $got == "$want" ]] || fail "the session is '$got', the client's connection '$want'"
}

# Prints what the monitor counted for the client on port $1, in bytes, both
# directions.
monitored() {
	on mb2 nft -j list table ip accounts | jq "[.nftables[].set.elem[]?.elem |
		select(.val.concat == [\"$CLIENT\", \"$SERVER\", $1]) | .counter.bytes] | add // 0"
}

# Prints the packets that the firewall's rule with comment $1 counted.
firewalled() {
	on mb1 nft -j list table ip firewall | jq --arg comment "$1" '[.nftables[].rule |
		select(.comment == $comment) | .expr[].counter.packets // empty] | add // 0'
}

# Runs iperf3 from client to server, shows each second, and keeps it in $1.
measure() {
	on client iperf3 -c "$SERVER" -t 5 -f m --forceflush 2>&1 | tee "$DIR/$1" |
		grep --line-buffered 'bits/sec' | typed "iperf3 -c $SERVER -t 5 -f m" ||
		fail "iperf3: $(tail -n 1 "$DIR/$1")"
}

# Prints the Mbit/s that the receiver of a measure saw.
rate() {
	awk '/receiver/ { printf "%d", $7 }' "$DIR/$1"
}

sessions() {
	mbctl --json session list | jq '.sessions | length'
}

no_sessions() {
	[[ $(sessions) == 0 ]]
}
