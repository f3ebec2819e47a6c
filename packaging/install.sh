#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts what "make build man" has made below a directory: what goes onto hosts, policy
# servers and operators' machines, and the module's sources for DKMS. What an operator
# has written in /etc/mbchain stays.
set -euo pipefail

if [[ $# -lt 3 ]]; then
	cat >&2 <<'END'
usage: packaging/install.sh VERSION DIRECTORY PART...

PART is agent, policyd, ctl or dkms.

example:
  packaging/install.sh 0.1.0 / agent ctl
END
	exit 2
fi

version=$1
to=${2%/}
shift 2
cd "$(dirname "$0")/.."

# $1: mode, $2: file, $3: where
put() { install -D -m "$1" "$2" "$to$3"; }

# $1: daemon
daemon() {
	put 755 "bin/$1" "/usr/sbin/$1"
	put 644 "build/man/man8/$1.8" "/usr/share/man/man8/$1.8"
	put 644 "packaging/systemd/mbchain-$1.service" "/usr/lib/systemd/system/mbchain-$1.service"
	[[ -e $to/etc/mbchain/$1.env ]] || put 640 "packaging/systemd/$1.env" "/etc/mbchain/$1.env"
}

for part; do
	case $part in
	agent)
		daemon agentd
		put 644 packaging/systemd/modules-load.conf /usr/lib/modules-load.d/mbchain.conf
		;;
	policyd) daemon policyd ;;
	ctl)
		put 755 bin/mbctl /usr/bin/mbctl
		for page in build/man/man1/*.1; do
			put 644 "$page" "/usr/share/man/man1/${page##*/}"
		done
		put 644 mbctl/completion/mbctl.bash /usr/share/bash-completion/completions/mbctl
		put 644 mbctl/completion/mbctl.zsh /usr/share/zsh/vendor-completions/_mbctl
		put 644 mbctl/completion/mbctl.fish /usr/share/fish/vendor_completions.d/mbctl.fish
		;;
	dkms)
		while IFS= read -r file; do
			put 644 "kmod/$file" "/usr/src/mbchain-$version/$file"
		done < <(cd kmod && find . -name Kbuild -printf '%P\n' -o -name '*.[ch]' -not -name '*.mod.c' -printf '%P\n' | sort)
		sed "s/@VERSION@/$version/" packaging/dkms/dkms.conf | install -D -m 644 /dev/stdin "$to/usr/src/mbchain-$version/dkms.conf"
		;;
	*)
		echo "install: no part $part: want agent, policyd, ctl or dkms" >&2
		exit 2
		;;
	esac
done
