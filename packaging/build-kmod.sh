#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds mbchain.ko for a kernel of tests/vm/kernel, in a directory below build
# that links to the sources: kmod/ stays clean and a second build is short.
# Prints nothing but warnings and errors, and fails when there are any.
set -euo pipefail

if [[ $# -lt 2 ]]; then
	cat >&2 <<'END'
usage: packaging/build-kmod.sh SERIES DIRECTORY [MAKE-ARGUMENT...]

Builds DIRECTORY/RELEASE/mbchain.ko for the 6.1, 6.12 or debug kernel.

example:
  packaging/build-kmod.sh 6.12 build/kmod
END
	exit 2
fi

top=$(cd "$(dirname "$0")/.." && pwd -P)
kernel=$("$top/tests/vm/kernel" "$1")
mkdir -p "$2"
directory=$(cd "$2" && pwd -P)/$(<"$kernel/release")
shift 2

mkdir -p "$directory"
find "$directory" -maxdepth 1 -xtype l -delete # of sources that are gone
ln -sfn "$top"/kmod/* "$directory"
status=0
said=$(make -s -j"$(nproc)" -C "$kernel/build" M="$directory" "$@" modules 2>&1) || status=$?

# What is said about the kernel or its headers is not about the module.
said=$(grep -vE '^(warning: the compiler differs|  (The kernel was built by|You are using)):?|^Skipping BTF|^make\[[0-9]+\]: (Entering|Leaving)' \
	<<<"$said" || true)
if ((status == 0)); then
	said=$(grep -F "$directory" <<<"$said" || true)
fi
if [[ -n $said ]]; then
	# Name the sources where they are.
	echo "${said//$directory/kmod}" >&2
	exit 1
fi
exit "$status"
