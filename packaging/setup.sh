#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what building and testing need, on Debian 12: packages, the headers
# of both kernels, and the kernels themselves, which go to build/kernels and
# never onto the host. Says nothing and asks no package server when all is
# there. With --debug-kernel, also what the debug kernel takes, and that kernel.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd -P)
log=$top/build/setup.log

packages=(
	# build
	gcc libc6-dev make git kmod xz-utils cpio linux-headers-amd64 linux-headers-6.12-amd64
	# check
	sparse shellcheck clang libclang-rt-14-dev spin groff-base systemd
	# guests and labs
	qemu-system-x86 busybox-static iproute2 iputils-ping nftables conntrack ethtool procps
	bsdextrautils tcpdump
	# clients, servers, network functions
	curl nginx-light iperf3 prads jq ipvsadm wireguard-tools dnsmasq-base bind9-dnsutils dhcpoptinj
)

series=(6.1 6.12)

die() {
	echo "setup: $*" >&2
	exit 1
}

as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "run $1: must be root, or have sudo"
	fi
}

# Runs a step whose output interests only when it fails.
step() {
	local what=$1
	shift
	echo "setup: $what"
	"$@" >>"$log" 2>&1 && return
	tail -n 20 "$log" | sed 's/^/  /' >&2
	die "$what: failed; all of its output is in $log"
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q \
		-o DPkg::Lock::Timeout=300 "$@"
}

# Prints those of the packages that are not installed.
missing() {
	comm -23 <(printf '%s\n' "${packages[@]}" | sort) \
		<(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
			sed -n 's/ installed$//p' | sort)
}

# Packages of servers start them when installed; here nobody asked for that.
install() {
	local policy=/usr/sbin/policy-rc.d
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
		trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	apt install --no-install-recommends "$@"
}

kernels() {
	local name
	for name in "${series[@]}"; do
		"$top/tests/vm/kernel" "$name" >/dev/null || return
	done
}

check_go() {
	local want have
	want=$(sed -n 's/^go //p' "$top/go.mod")
	command -v go >/dev/null || die "find go: install Go $want or newer from https://go.dev/dl/"
	have=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
	printf '%s\n' "$want" "${have#go}" | sort -CV || die "use $have: Go $want or newer is needed"
}

case ${1:-} in
'') ;;
--debug-kernel)
	packages+=(bc bison flex libelf-dev)
	series+=(debug)
	;;
*) die "read $1: unknown option" ;;
esac
[[ -r /etc/debian_version ]] || die "install packages: this is not Debian"
mkdir -p "$top/build"
: >"$log"
check_go

mapfile -t wanted < <(missing)
if ((${#wanted[@]})); then
	step "reading the package lists" apt update
	step "installing ${wanted[*]}" install "${wanted[@]}"
fi

cached=$(for name in "${series[@]}"; do
	release=$("$top/tests/vm/kernel" --release "$name")
	[[ -e ${MBCHAIN_CACHE:-$top/build/kernels}/$release/release ]] || echo "$release"
done)
[[ -n $cached ]] || exit 0
echo "setup: downloading kernels for the guests: ${cached//$'\n'/ }"
[[ $cached != *-debug-* ]] || echo "setup: building the debug kernel takes half an hour, once"
kernels >>"$log" 2>&1 && exit 0
# The package server keeps the newest only: the headers here may be older.
step "reading the package lists" apt update
step "updating the kernel headers" install linux-headers-amd64 linux-headers-6.12-amd64
step "downloading kernels for the guests" kernels
