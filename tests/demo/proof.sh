# SPDX-License-Identifier: Apache-2.0
#
# What the demo watches while packets flow, and what it makes of that. Sourced
# by guest.
# shellcheck shell=bash disable=SC2034,SC2154

LINKS=(0 1 2) # link I is between hosts I and I + 1 of ROW
WATCHERS=()   # their pids

is_listening() {
	grep -q 'listening on' "$1"
}

# Keeps the heads of all packets of each link in link0, link1, ...
watch_links() {
	local i
	for i in "${LINKS[@]}"; do
		# Not by on: $! is to be tcpdump.
		ip netns exec "${ROW[i]}" tcpdump -U -s 80 -i right -w - tcp \
			>"$DIR/link$i" 2>"$DIR/link$i.log" &
		WATCHERS+=($!)
	done
	for i in "${LINKS[@]}"; do
		await "watch the link behind ${ROW[i]}" is_listening "$DIR/link$i.log"
	done
}

# Ends the watching, and writes the packets out in link0.txt, link1.txt, ...
end_watch_links() {
	local i
	kill "${WATCHERS[@]}"
	wait "${WATCHERS[@]}" 2>/dev/null || true
	for i in "${LINKS[@]}"; do
		grep -q '^0 packets dropped by kernel' "$DIR/link$i.log" ||
			fail "tcpdump on the link behind ${ROW[i]}: $(tail -n 1 "$DIR/link$i.log")"
		tcpdump -n -q -t -r "$DIR/link$i" >"$DIR/link$i.txt" 2>"$DIR/link$i.log"
	done
}

# Says whether each link has carried more than the handshake.
links_busy() {
	local i
	for i in "${LINKS[@]}"; do
		(($(stat -c %s "$DIR/link$i") > 2000)) || return 1
	done
}

# Says whether there is nothing more to wait for: process $1 may fail first.
links_busy_or_end_of() {
	links_busy || ! kill -0 "$1" 2>/dev/null
}

# Prints the client's own port of the download, as the client's kernel tells.
download_port() {
	on client ss -Htn state established "dport = :$WEB" | awk '{ sub(/.*:/, "", $3); print $3 }'
}

# Prints a line a link: both ends of its subsession, as tcpdump writes them.
subsessions() {
	jq -r '.session.subsessions[].left.tuple |
		"\(.source).\(.source_port) \(.destination).\(.destination_port)"' "$DIR/session.json"
}

# Every packet of link $1 must be of the subsession between $2 and $3.
check_link() {
	awk -v left="$2" -v right="$3" '
		$4 != right ":" && $4 != left ":" || $2 != left && $2 != right { print; bad = 1 }
		END { exit bad || !NR }' "$DIR/link$1.txt" >"$DIR/strays" && return
	head -n 5 "$DIR/strays" | indent
	fail "the link behind ${ROW[$1]} carried packets that are not of $2 > $3"
}

# The hosts must have reported the download as the client's kernel tells it.
check_session() {
	local got want
	got=$(jq -r '.session | (.super |
		"\(.source):\(.source_port) > \(.destination):\(.destination_port) by"),
		.hosts[].name, if .complete then empty else "incomplete" end' "$DIR/session.json" |
		paste -sd ' ')
	want="$CLIENT:$PORT > $SERVER:$WEB by ${ROW[*]}"
	[[ $got == "$want" ]] || fail "the session is '$got', not '$want'"
}

# Prints the sessions of mbctl that a predicate matches, a line each: client and
# server, how they were set up, and the hosts that reported them.
chains() {
	mbctl --json session list --match "$1" | jq -r '.sessions[] | (.super |
		"\(.source) > \(.destination)"), " \(.setup) by", (" " + .hosts[].name),
		if .complete then "\n" else " incomplete\n" end' | tr -d '\n'
}

# Prints the counters of table $3 of nftables' family $2 on host $1, a line each:
# packets, bytes, and the comment of the rule or the set and its element.
counters() {
	on "$1" nft list table "$2" "$3" | awk '
		$1 == "set" { set = $2 }
		match($0, /counter packets [0-9]+ bytes [0-9]+/) {
			split(substr($0, RSTART), count)
			sub(/[^0-9].*/, "", count[5])
			name = set ": " substr($0, 1, RSTART - 2)
			sub(/: .*(elements = \{|\t) */, ": ", name)
			if (split($0, quoted, "\"") == 3)
				name = quoted[2]
			printf "%9d packets %12d bytes  %s\n", count[3], count[5], name
		}'
}

# Prints field $2 (1: packets, 3: bytes) of the line of counters in file $1 that
# ends with $3.
counted() {
	awk -v field="$2" -v name="  $3" '
		substr($0, length($0) - length(name) + 1) == name { print $field; found = 1 }
		END { if (!found) print 0 }' "$1"
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
