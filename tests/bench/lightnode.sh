# A light node: the first process of its network, mount and process namespaces.
# When its standard input ends it ends, and everything in the node with it.
#
# $1 lower directories  $2 an empty directory  $3 address with prefix
set -eu
mount --make-rslave /
mount -t tmpfs -o mode=755 node "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" node "$2/root"
mount --rbind /dev "$2/root/dev"
mount -t proc proc "$2/root/proc"
mount -t sysfs -o ro sysfs "$2/root/sys"
mkdir -p "$2/root/run/sshd"
tr -d - </proc/sys/kernel/random/uuid >"$2/root/etc/machine-id"
read -r _ # the network is there
ip link set lo up
ip address add "$3" dev eth0
ip link set eth0 up
chroot "$2/root" /usr/sbin/sshd -D -e -o LogLevel=VERBOSE -o UseDNS=no </dev/null &
while read -r word; do
	[ "$word" = agent ] && chroot "$2/root" /usr/local/lib/icm-agent/current/icm-agent serve </dev/null >/dev/null 2>&1 &
done
