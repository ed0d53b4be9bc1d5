#!/bin/sh
# Starts one lab node and stays with it. Arguments: those of systemd-nspawn.
# Run by the lab provider; the LAB_ variables come from nspawn.go.
set -eu

if [ "${LAB_INSIDE-}" = "" ]; then
	# Out of the way of the node's own groups, but killed and frozen with them.
	for group in $LAB_GROUPS; do
		mkdir -p "$group/launcher"
		echo $$ >"$group/launcher/cgroup.procs"
	done
	# From now on /proc/self/fd/9 is this machine's network.
	exec 9</proc/self/ns/net
	LAB_INSIDE=yes exec unshare --mount --net --propagation slave sh "$0" "$@"
fi

host() {
	nsenter --net=/proc/self/fd/9 "$@"
}

if [ "$LAB_LOWER" != "" ]; then
	mount -t overlay icm-lab "$LAB_ROOT" \
		-o "lowerdir=$LAB_LOWER,upperdir=$LAB_UPPER,workdir=$LAB_WORK"
fi

# A link left by a launcher that died in the middle may linger for a moment.
host ip link delete "$LAB_LINK" 2>/dev/null || true
ip link add eth0 address "$LAB_MAC" type veth peer name "$LAB_LINK" netns /proc/self/fd/9
host ip link set "$LAB_LINK" master "$LAB_BRIDGE" up
ip address add "$LAB_ADDRESS" dev eth0
ip link set eth0 up
ip link set lo up
if [ "$LAB_RATE" != "" ]; then
	# Unquoted: several words.
	tc qdisc replace dev eth0 root tbf $LAB_RATE
	host tc qdisc replace dev "$LAB_LINK" root tbf $LAB_RATE
fi

while :; do
	status=0
	(
		exec 9<&-
		# The shell inside the braces enters the node's groups by itself.
		for group in $LAB_GROUPS; do
			sh -c 'echo $PPID' >"$group/cgroup.procs"
		done
		exec systemd-nspawn "$@"
	) || status=$?
	echo "icm-lab: systemd-nspawn ended with status $status"
	# 133: the node asked for a reboot.
	[ $status = 133 ] || exit $status
done
