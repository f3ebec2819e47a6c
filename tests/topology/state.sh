# SPDX-License-Identifier: Apache-2.0
#
# What is known of the lab that is up. Sourced by tests/lab.
#   $LAB/hosts   one line a host: name role address management-address address6
#   $LAB/links   one line an end of a link: host interface address neighbour
#   $LAB/HOST/   the daemon of a host: pid, log, arguments, socket, state
#   $LAB/token   admits the agents
# shellcheck shell=bash

LAB=/run/mbchain-lab
POLICYD=10.255.0.100:7400
POLICYD_SOCKET=$LAB/policyd1/policyd.sock # for mbctl, as root

# Scaled: under emulation everything is several times slower.
DEADLINE=${MBCHAIN_LAB_DEADLINE:-60}

die() {
	echo "tests/lab: $*" >&2
	exit 1
}

need_up() {
	[[ -e $LAB/hosts ]] || die "find the lab: it is not up, run tests/lab up chain --middleboxes 2"
}

need_host() {
	need_up
	grep -q "^$1 " "$LAB/hosts" || {
		local names
		names=$(cut -d ' ' -f 1 "$LAB/hosts" | paste -sd ' ')
		die "find host $1: the lab has $names"
	}
}

# Prints the names of the hosts whose role is one of those given; all without.
hosts_of() {
	local name role
	while read -r name role _; do
		[[ $# == 0 || " $* " == *" $role "* ]] && echo "$name"
	done <"$LAB/hosts"
	return 0
}

# Prints column $2 of host $1.
host_field() {
	awk -v name="$1" -v field="$2" '$1 == name { print $field }' "$LAB/hosts"
}

# Runs a command until it succeeds; fails when it has been tried for as long as
# the deadline says. Tries count and not seconds: the clock of a guest jumps when
# its host has been away.
poll() {
	local tries=$((DEADLINE * 5))
	until "$@"; do
		((tries-- > 0)) || return 1
		read -r -t 0.2 <> <(:) || true
	done
}

in_host() {
	local host=$1
	shift
	ip netns exec "$host" "$@"
}

show_hosts() {
	echo "HOST ROLE ADDRESS MANAGEMENT ADDRESS6"
	cat "$LAB/hosts"
}

show_hosts_json() {
	local name role address management address6 between=''
	printf '{"policyd":"%s","policyd_socket":"%s","hosts":[' "$POLICYD" "$POLICYD_SOCKET"
	while read -r name role address management address6; do
		printf '%s\n  {"name":"%s","role":"%s","address":"%s","management":"%s",' \
			"$between" "$name" "$role" "$address" "$management"
		[[ $address6 == - ]] || printf '"address6":"%s",' "$address6"
		printf '"socket":"%s","log":"%s","links":[' \
			"$(socket_of "$name")" "$LAB/$name/log"
		awk -v name="$name" '$1 == name {
			printf "%s{\"interface\":\"%s\",\"address\":\"%s\",\"neighbour\":\"%s\"}",
				between, $2, $3, $4
			between = ","
		}' "$LAB/links"
		printf ']}'
		between=,
	done <"$LAB/hosts"
	printf '\n]}\n'
}
