# Makes a private root over this machine's and runs inside.sh in it. The
# namespaces take everything with them when the last process ends.
set -eu
mount -t tmpfs tmpfs "$1"
mkdir -p "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/tmp"
mkdir -p "$1/root/tmp/in"
mount --rbind "$2" "$1/root/tmp/in"
cp "$3" "$1/root/tmp/inside.sh"
cp "$4" "$1/root/tmp/common.sh"
chmod 1777 "$1/root/tmp"
exec chroot "$1/root" /bin/sh /tmp/inside.sh /tmp/in
