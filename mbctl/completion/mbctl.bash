# SPDX-License-Identifier: Apache-2.0
# bash completion for mbctl; see "mbctl completion --help"

_mbctl() {
	local words=("${COMP_WORDS[@]:1:COMP_CWORD}")
	mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
}
complete -o bashdefault -o default -F _mbctl mbctl
