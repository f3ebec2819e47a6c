# SPDX-License-Identifier: Apache-2.0
#
# How the demo speaks: numbered steps with the seconds since its start, the
# commands it runs and what they print, and the checks. Sourced by guest.
# shellcheck shell=bash

BOLD='' DIM='' GREEN='' RED='' PLAIN=''
if [[ -n ${MBCHAIN_DEMO_COLOUR:-} ]]; then
	BOLD=$'\e[1m' DIM=$'\e[2m' GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m'
fi
STEP=0
STEPS=0 # set by guest

elapsed() {
	echo $((EPOCHSECONDS - START))
}

step() {
	STEP=$((STEP + 1))
	printf '\n%s%3d s  %d/%d  %s%s\n' "$BOLD" "$(elapsed)" "$STEP" "$STEPS" "$*" "$PLAIN"
}

say() {
	printf '  %s\n' "$@"
}

# Indents what comes in, line by line as it comes.
indent() {
	sed -u 's/^/    /'
}

# Shows the command that the text of $1 is, then what comes in.
typed() {
	printf '  %s$ %s%s\n' "$DIM" "$1" "$PLAIN"
	indent
}

# Shows a file but for its licence.
show() {
	sed '1,/^#\?$/d' "$1" | expand -t 4 | typed "cat $1"
}

ok() {
	printf '  %sok%s  %s\n' "$GREEN" "$PLAIN" "$*"
}

fail() {
	printf '  %sFAILED%s  %s\n' "$RED" "$PLAIN" "$*"
	exit 1
}

# Shows a dot a second until process $1 has ended; returns its status.
attend() {
	printf '  '
	while kill -0 "$1" 2>/dev/null; do
		printf .
		read -r -t 1 <> <(:) || true
	done
	echo
	wait "$1"
}

# Draws a box around what comes in; lines are at most 76 characters.
box() {
	local line rule
	printf -v rule '%78s' ''
	printf '\n+%s+\n' "${rule// /-}"
	while IFS= read -r line; do
		printf '| %-76s |\n' "$line"
	done
	printf '+%s+\n' "${rule// /-}"
}

# Runs a command until it succeeds; fails with the text of $1 after 60 s.
await() {
	local what=$1 end=$((SECONDS + 60))
	shift
	until "$@"; do
		((SECONDS < end)) || fail "$what: not within 60 s"
		read -r -t 0.2 <> <(:) || true
	done
}
