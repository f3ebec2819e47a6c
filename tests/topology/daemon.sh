# SPDX-License-Identifier: Apache-2.0
#
# The daemon of a host: policyd on policyd1, agentd on every other one. Sourced
# by tests/lab.
# shellcheck shell=bash

# Prints the socket of a host's agent; policyd1 has none.
socket_of() {
	[[ $1 == policyd1 ]] || echo "$LAB/$1/agentd.sock"
}

# Prints the daemon's arguments, one a line. $2: log level, $3...: NF types.
daemon_arguments() {
	local host=$1 level=$2 type
	shift 2
	if [[ $host == policyd1 ]]; then
		printf '%s\n' "$TOP/bin/policyd" --listen "$POLICYD" --id policyd1 \
			--raft-listen 10.255.0.100:7401 --data "$LAB/$host/data" --socket "$POLICYD_SOCKET"
		return
	fi
	printf '%s\n' "$TOP/bin/agentd" --name "$host" --policyd "$POLICYD" \
		--address "$(host_field "$host" 3)" --address "$(host_field "$host" 5)" --socket "$(socket_of "$host")" \
		--state "$LAB/$host/state" --log-level "$level" --token-file "$(token_file)" \
		--too-busy 0 # they share the machine
	for type in "$@"; do
		printf '%s\n' --nf-type "$type"
	done
}

# Keeps what daemon_start is to run. The arguments are those of
# daemon_arguments.
daemon_define() {
	mkdir -p "$LAB/$1"
	daemon_arguments "$@" >"$LAB/$1/arguments"
}

# Prints the daemon's pid when it runs. A pid may have been given away since:
# it is the daemon's only if the program is.
daemon_pid() {
	local pid program
	[[ -r $LAB/$1/pid && -r $LAB/$1/arguments ]] || return 1
	pid=$(<"$LAB/$1/pid")
	read -r program <"$LAB/$1/arguments"
	[[ $(readlink "/proc/$pid/exe") == "$(realpath "$program")" ]] || return 1
	echo "$pid"
}

# $1: host, $2...: more arguments, for this time
daemon_start() {
	local arguments
	[[ -r $LAB/$1/arguments ]] || die "start daemon of $1: the lab is up without agents"
	! daemon_pid "$1" >/dev/null || die "start daemon of $1: it runs already"
	mapfile -t arguments <"$LAB/$1/arguments"
	arguments+=("${@:2}")
	[[ -x ${arguments[0]} ]] || die "find ${arguments[0]}: run make build"
	# ip replaces itself by the daemon: the pid is the daemon's.
	setsid ip netns exec "$1" "${arguments[@]}" </dev/null >>"$LAB/$1/log" 2>&1 9>&- &
	echo $! >"$LAB/$1/pid"
}

daemon_gone() {
	! daemon_pid "$1" >/dev/null
}

# Sends signal $2 to the daemon of host $1 and waits for its end.
daemon_stop() {
	local pid
	pid=$(daemon_pid "$1") || return 0
	kill "-$2" "$pid" 2>/dev/null || true
	poll daemon_gone "$1" || die "stop daemon of $1: pid $pid still runs after SIG$2"
}

# Says whether the daemon has ended though nobody stopped it.
daemon_failed() {
	[[ -d /proc/$(<"$LAB/$1/pid") ]] && return 1
	return 0
}

# Says whether the daemon of $1 serves, an agent only when policyd knows it, if
# policyd runs.
daemon_ready() {
	local answer
	if [[ $1 == policyd1 ]]; then
		lab_mbctl status >/dev/null 2>&1
		return
	fi
	[[ -S $(socket_of "$1") ]] || return 1
	# 5: it answers, and something is not as it should be, such as no policyd.
	answer=$(lab_mbctl --agent "$(socket_of "$1")" --json status 2>/dev/null) || (($? == 5)) || return 1
	daemon_pid policyd1 >/dev/null || return 0
	grep -q '"policyd_connected": *true' <<<"$answer" || return 1
	answer=$(lab_mbctl --json host show "$1" 2>/dev/null) || return 1
	grep -q '"connected": *true' <<<"$answer"
}

# Says whether the agents of all these hosts, and no others, are registered: one
# question for all of them, as each costs a process.
agents_ready() {
	local host known
	for host; do
		[[ -S $(socket_of "$host") ]] || return 1
	done
	known=$(lab_mbctl --json host list 2>/dev/null | grep -c '"connected": *true') || return 1
	((known == $#))
}

# Runs a check of daemons until it succeeds, or one of the daemons has ended, or
# the deadline has passed; all but the first end the program.
daemon_wait() {
	local check=$1 host tries
	shift
	# What was ready may not be a moment later: an agent that connects anew.
	for ((tries = 0; tries < 5; tries++)); do
		poll daemon_settled "$check" "$@" || break
		"$check" "$@" && return
	done
	for host; do
		if daemon_failed "$host"; then
			daemon_complain "$host" "it ended"
		fi
	done
	for host; do
		"$check" "$host" || daemon_complain "$host" "not ready after $DEADLINE s"
	done
	die "start daemons of $*: not ready after $DEADLINE s"
}

daemon_settled() {
	local check=$1 host
	shift
	"$check" "$@" && return
	for host; do
		! daemon_failed "$host" || return 0
	done
	return 1
}

daemon_complain() {
	echo "tests/lab: start daemon of $1: $2; last lines of its log:" >&2
	tail -n 20 "$LAB/$1/log" | sed 's/^/  /' >&2
	exit 1
}

lab_mbctl() {
	MBCHAIN_POLICYD=unix:$POLICYD_SOCKET in_host policyd1 "$TOP/bin/mbctl" "$@"
}
