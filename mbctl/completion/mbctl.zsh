#compdef mbctl
# SPDX-License-Identifier: Apache-2.0
# zsh completion for mbctl; see "mbctl completion --help"

_mbctl() {
	local -a candidates
	candidates=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ -n "${candidates[1]}" ]]; then
		compadd -- "${candidates[@]}"
	else
		_files
	fi
}

if [[ "$funcstack[1]" == "_mbctl" ]]; then
	_mbctl "$@"
else
	compdef _mbctl mbctl
fi
