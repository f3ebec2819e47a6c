#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes Debian packages of what "make build man" has made: mbchain-agent,
# mbchain-policyd, mbchain-ctl and mbchain-dkms, with dpkg-deb alone.
set -euo pipefail

if [[ $# -ne 2 ]]; then
	cat >&2 <<'END'
usage: packaging/deb/build.sh VERSION DIRECTORY

example:
  packaging/deb/build.sh 0.1.0 build/deb
END
	exit 2
fi

version=$1
mkdir -p "$2"
out=$(cd "$2" && pwd -P)
here=$(cd "$(dirname "$0")" && pwd -P)
cd "$here/../.."
rm -f "$out"/mbchain-*.deb
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# $1: package, $2: part of install.sh, $3: architecture, $4: what it is, $5...: fields
package() {
	local name=$1 part=$2 arch=$3 summary=$4 root=$work/$1 script field
	shift 4
	packaging/install.sh "$version" "$root" "$part"
	[[ ! -d $root/usr/share/man ]] || find "$root/usr/share/man" -type f -exec gzip -9n {} +
	install -D -m 644 "$here/copyright" "$root/usr/share/doc/$name/copyright"
	mkdir "$root/DEBIAN"
	{
		cat <<-END
			Package: $name
			Version: $version
			Architecture: $arch
			Maintainer: mbchain <mbchain@localhost>
			Section: net
			Priority: optional
			Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
		END
		for field; do echo "$field"; done
		printf 'Description: %s\n' "dynamic service chaining: $summary"
	} >"$root/DEBIAN/control"
	[[ ! -d $root/etc ]] || (cd "$root" && find etc -type f -printf '/%p\n') | sort >"$root/DEBIAN/conffiles"
	for script in postinst prerm postrm; do
		[[ ! -e $here/$part.$script ]] || {
			sed "s/@VERSION@/$version/g" "$here/$part.$script" >"$root/DEBIAN/$script"
			chmod 755 "$root/DEBIAN/$script"
		}
	done
	dpkg-deb --root-owner-group -Zxz -z1 --build "$root" "$out/${name}_${version}_$arch.deb" >/dev/null
	echo "$out/${name}_${version}_$arch.deb"
}

arch=$(dpkg --print-architecture)
package mbchain-agent agent "$arch" "the agent of a host" \
	'Depends: kmod' 'Recommends: mbchain-dkms, mbchain-ctl'
package mbchain-policyd policyd "$arch" "the policy server" 'Recommends: mbchain-ctl'
package mbchain-ctl ctl "$arch" "the operator's command"
package mbchain-dkms dkms all "the kernel module" 'Depends: dkms'
