# SPDX-License-Identifier: Apache-2.0
#
# A CA for the lab, and a certificate for each agent, with its addresses as
# names. Sourced by tests/lab.
# shellcheck shell=bash

# Prints where the credentials of a host are: ca.pem, cert.pem and key.pem. The
# CA's own key is beside all of them.
certificates_of() {
	echo "$LAB/$1/tls"
}

# Makes the CA and the certificates of these hosts, all at once: one takes a
# while under emulation. Others may read none of the files.
certificates_make() (
	umask 077
	certificate_request "mbchain lab CA" critical,CA:TRUE keyUsage=critical,keyCertSign \
		-keyout "$LAB/ca.key" -out "$LAB/ca.pem" || die "make CA: openssl failed"
	pids=()
	for host; do
		certificate_make "$host" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || die "make certificates: openssl failed"
	done
)

certificate_make() {
	local directory
	directory=$(certificates_of "$1")
	mkdir -p "$directory"
	cp "$LAB/ca.pem" "$directory/ca.pem"
	certificate_request "$1" critical,CA:FALSE extendedKeyUsage=serverAuth,clientAuth \
		-addext "subjectAltName=IP:$(host_field "$1" 3),IP:$(host_field "$1" 5)" \
		-CA "$LAB/ca.pem" -CAkey "$LAB/ca.key" -keyout "$directory/key.pem" -out "$directory/cert.pem"
}

# $1: name, $2: basic constraints, $3: another extension, $4...: what openssl req
# gets besides. Nothing comes from the system's configuration.
certificate_request() {
	local name=$1 constraints=$2 extension=$3
	shift 3
	openssl req -config <(printf '[req]\ndistinguished_name = dn\n[dn]\n') \
		-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 -subj "/CN=$name" \
		-addext "basicConstraints=$constraints" -addext "$extension" "$@" 2>/dev/null
}
