# SPDX-License-Identifier: Apache-2.0
# fish completion for mbctl; see "mbctl completion --help"

function __mbctl_candidates
	set -l words (commandline -opc) (commandline -ct)
	command $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c mbctl -a '(__mbctl_candidates)'
