# SPDX-License-Identifier: Apache-2.0
#
# A token with which the agents of the lab join, as operators do it. Sourced by
# tests/lab.
# shellcheck shell=bash

# Prints where the token is. Agents read it until they have their certificates.
token_file() {
	echo "$LAB/token"
}

# Makes a token for $1 agents, when policyd serves. Others may not read it.
token_make() (
	umask 077
	lab_mbctl token create --role agent --uses "$1" --ttl 1h >"$(token_file)" 2>/dev/null ||
		die "make token: mbctl token create failed"
)
