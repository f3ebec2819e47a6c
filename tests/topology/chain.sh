# SPDX-License-Identifier: Apache-2.0
#
# The topology "chain": hosts in a row, each a network namespace. Sourced by
# tests/lab.
#
#   client --- mb1 --- ... --- mbN --- server       links 10.1.I.0/30, fd00:0:0:I::/64
#      \________|______ ... ____|_________/         mgmt  10.255.0.0/24
#                     policyd1
#
# Host K from the left, from 1, is 10.0.0.K and fd00::K on lo, and 10.255.0.K on
# mgmt. Its interfaces are called left and right, after where they lead. The
# management bridge is in policyd1, 10.255.0.100.
# shellcheck shell=bash

# Prints the names of the hosts in a row, for N middleboxes.
chain_row() {
	local i
	echo client
	for ((i = 1; i <= $1; i++)); do echo "mb$i"; done
	echo server
}

# Arguments: number of middleboxes, MTU, offloads, delay and loss of the links.
# It starts as few processes as it can: each takes a while under emulation.
chain_up() {
	local middleboxes=$1 mtu=$2
	local row i host
	mapfile -t row < <(chain_row "$middleboxes")
	for host in "${row[@]}" policyd1; do
		[[ ! -e /run/netns/$host ]] || die "add namespace $host: there is one of this name already"
	done

	chain_describe "${row[@]}"
	{
		printf 'netns add %s\n' "${row[@]}" policyd1
		echo "link add mgmt netns policyd1 type bridge"
		for ((i = 0; i < ${#row[@]}; i++)); do
			echo "link add mgmt netns ${row[i]} type veth peer name ${row[i]} netns policyd1"
			((i == 0)) || echo "link add right netns ${row[i - 1]} mtu $mtu" \
				"type veth peer name left netns ${row[i]} mtu $mtu"
		done
	} | ip -batch -
	chain_management "${row[@]}" | ip -n policyd1 -batch -
	for ((i = 0; i < ${#row[@]}; i++)); do
		chain_host "$i" "${#row[@]}" |
			in_host "${row[i]}" bash -e -c "$CHAIN_SETTINGS" "${row[i]}" "${@:3}"
	done
}

# Writes down the hosts and links of a row.
chain_describe() {
	local i role
	for ((i = 1; i <= $#; i++)); do
		case ${!i} in
		client | server) role=${!i} ;;
		*) role=middlebox ;;
		esac
		echo "${!i} $role 10.0.0.$i 10.255.0.$i fd00::$(hexadecimal "$i")"
	done >"$LAB/hosts"
	echo "policyd1 policyd 10.255.0.100 10.255.0.100 -" >>"$LAB/hosts"
	for ((i = 1; i < $#; i++)); do
		echo "${!i} right 10.1.$i.1 ${*:i+1:1}"
		echo "${*:i+1:1} left 10.1.$i.2 ${!i}"
	done >"$LAB/links"
}

# Prints what ip is to do in policyd1 for a row of hosts.
chain_management() {
	local host
	echo "link set lo up"
	for host in "$@"; do
		echo "link set $host master mgmt up"
	done
	echo "addr add 10.255.0.100/24 dev mgmt"
	echo "link set mgmt up"
}

hexadecimal() {
	printf '%x' "$1"
}

# Prints what ip is to do in host $1, from 0, of a row of $2: its addresses, and
# the way to the other hosts, spoken to from its host address. Without nodad an
# IPv6 address is tentative until a worker of the kernel has run, and no route's
# source meanwhile.
chain_host() {
	local i count=$2 self=$(($1 + 1))
	echo "link set lo up"
	echo "addr add 10.0.0.$self/32 dev lo"
	echo "addr add fd00::$(hexadecimal "$self")/128 dev lo nodad"
	echo "addr add 10.255.0.$self/24 dev mgmt"
	echo "link set mgmt up"
	if ((self > 1)); then
		echo "addr add 10.1.$((self - 1)).2/30 dev left"
		echo "addr add $(chain_link $((self - 1)))2/64 dev left nodad"
		echo "link set left up"
	fi
	if ((self < count)); then
		echo "addr add 10.1.$self.1/30 dev right"
		echo "addr add $(chain_link "$self")1/64 dev right nodad"
		echo "link set right up"
	fi
	for ((i = 1; i < self; i++)); do
		chain_route "$i" "$self" "10.1.$((self - 1)).1" "$(chain_link $((self - 1)))1"
	done
	for ((i = self + 1; i <= count; i++)); do
		chain_route "$i" "$self" "10.1.$self.2" "$(chain_link "$self")2"
	done
}

# Prints how the addresses of link $1, from 1, begin.
chain_link() {
	echo "fd00:0:0:$(hexadecimal "$1")::"
}

# Prints what ip is to do to reach host $1 from host $2, by gateways $3 and $4.
chain_route() {
	echo "route add 10.0.0.$1 via $3 src 10.0.0.$2"
	echo "route add fd00::$(hexadecimal "$1") via $4 src fd00::$(hexadecimal "$2")"
}

# Runs in each host, with what ip is to do as its input. Delay and loss are those
# of each direction of a link; the queue is long enough never to lose for want of
# room.
# shellcheck disable=SC2016 # expanded there
CHAIN_SETTINGS='
offloads=$1 delay=$2 loss=$3
processors=$(nproc) number=0
if [[ -e /sys/class/net/left && -e /sys/class/net/right ]]; then
	echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
fi
# Addresses are good at once, and nobody looks for routers.
for which in /proc/sys/net/ipv6/conf/*; do
	echo 0 >"$which/accept_dad"
	echo 0 >"$which/accept_ra"
done
ip -batch -
for device in left right; do
	[[ -e /sys/class/net/$device ]] || continue
	if [[ $offloads == off ]]; then
		ethtool -K "$device" rx off tx off sg off tso off gso off gro off >/dev/null
	fi
	# What comes in by one device stays in its order, as with a network card; else
	# processors that send at the same time overtake each other.
	((processors == 1)) || echo $((1 + (number++ & 1))) >"/sys/class/net/$device/queues/rx-0/rps_cpus"
	if [[ -n $delay$loss ]]; then
		tc qdisc add dev "$device" root netem limit 100000 \
			${delay:+delay "$delay"} ${loss:+loss "$loss"}
	fi
done
'

chain_down() {
	local host
	for host in $(hosts_of); do
		[[ ! -e /run/netns/$host ]] || ip netns delete "$host"
	done
}
