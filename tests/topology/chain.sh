# SPDX-License-Identifier: Apache-2.0
#
# The topology "chain": hosts in a row, each a network namespace. Sourced by
# tests/lab.
#
#   client --- mb1 --- ... --- mbN --- server       links 10.1.I.0/30
#      \________|______ ... ____|_________/         mgmt  10.255.0.0/24
#                     policyd1
#
# Host K from the left, from 1, is 10.0.0.K/32 on lo and 10.255.0.K on mgmt. Its
# interfaces are called left and right, after where they lead. The management
# bridge is in policyd1, 10.255.0.100.
# shellcheck shell=bash

# Prints the names of the hosts in a row, for N middleboxes.
chain_row() {
	local i
	echo client
	for ((i = 1; i <= $1; i++)); do echo "mb$i"; done
	echo server
}

chain_up() {
	local middleboxes=$1 mtu=$2 offloads=$3 delay=$4 loss=$5
	local row i host role
	mapfile -t row < <(chain_row "$middleboxes")
	for host in "${row[@]}" policyd1; do
		[[ ! -e /run/netns/$host ]] || die "add namespace $host: there is one of this name already"
	done

	: >"$LAB/links"
	for ((i = 0; i < ${#row[@]}; i++)); do
		host=${row[i]}
		case $host in
		client | server) role=$host ;;
		*) role=middlebox ;;
		esac
		echo "$host $role 10.0.0.$((i + 1)) 10.255.0.$((i + 1))"
	done >"$LAB/hosts"
	echo "policyd1 policyd 10.255.0.100 10.255.0.100" >>"$LAB/hosts"
	for host in "${row[@]}" policyd1; do
		ip netns add "$host"
	done

	chain_management "${row[@]}"
	for ((i = 1; i < ${#row[@]}; i++)); do
		chain_link "$i" "${row[i - 1]}" "${row[i]}" "$mtu"
	done
	for ((i = 0; i < ${#row[@]}; i++)); do
		chain_host "$i" "${#row[@]}" "${row[i]}"
		in_host "${row[i]}" bash -e -s -- "$offloads" "$delay" "$loss" <<<"$CHAIN_SETTINGS"
	done
}

chain_management() {
	local i=0 host
	ip -n policyd1 -batch - <<-END
		link set lo up
		link add mgmt type bridge
		addr add 10.255.0.100/24 dev mgmt
		link set mgmt up
	END
	for host in "$@"; do
		i=$((i + 1))
		ip -n policyd1 -batch - <<-END
			link add $host type veth peer name mgmt netns $host
			link set $host master mgmt up
		END
		ip -n "$host" -batch - <<-END
			addr add 10.255.0.$i/24 dev mgmt
			link set mgmt up
		END
	done
}

# Link $1 from host $2, on the left, to host $3.
chain_link() {
	ip -n "$2" -batch - <<-END
		link add right mtu $4 type veth peer name left mtu $4 netns $3
		addr add 10.1.$1.1/30 dev right
		link set right up
	END
	ip -n "$3" -batch - <<-END
		addr add 10.1.$1.2/30 dev left
		link set left up
	END
	echo "$2 right 10.1.$1.1 $3" >>"$LAB/links"
	echo "$3 left 10.1.$1.2 $2" >>"$LAB/links"
}

# Host $3, number $1 from 0 in a row of $2: its address, and the way to the
# others, spoken to from that address.
chain_host() {
	local position=$1 count=$2 host=$3 i
	{
		echo "link set lo up"
		echo "addr add 10.0.0.$((position + 1))/32 dev lo"
		for ((i = 0; i < count; i++)); do
			if ((i < position)); then
				echo "route add 10.0.0.$((i + 1)) via 10.1.$position.1 src 10.0.0.$((position + 1))"
			elif ((i > position)); then
				echo "route add 10.0.0.$((i + 1)) via 10.1.$((position + 1)).2 src 10.0.0.$((position + 1))"
			fi
		done
	} | ip -n "$host" -batch -
}

# Runs in each host. Delay and loss are those of each direction of a link; the
# queue is long enough never to lose for want of room.
# shellcheck disable=SC2016 # expanded there
CHAIN_SETTINGS='
offloads=$1 delay=$2 loss=$3
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
for path in /sys/class/net/left /sys/class/net/right; do
	[[ -e $path ]] || continue
	device=${path##*/}
	if [[ $offloads == off ]]; then
		ethtool -K "$device" rx off tx off sg off tso off gso off gro off >/dev/null
	fi
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
