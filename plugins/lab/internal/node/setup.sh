#!/bin/sh
# Makes the user of a lab node, before its first start. The LAB_ variables come
# from setup.go; standard input is "user:password" when LAB_PASSWORD is yes.
set -eu

if [ "${LAB_INSIDE-}" = "" ]; then
	for group in $LAB_GROUPS; do
		echo $$ >"$group/launcher/cgroup.procs"
	done
	LAB_INSIDE=yes exec unshare --mount --propagation slave sh "$0"
fi

if [ "$LAB_LOWER" != "" ]; then
	mount -t overlay icm-lab "$LAB_ROOT" \
		-o "lowerdir=$LAB_LOWER,upperdir=$LAB_UPPER,workdir=$LAB_WORK"
fi

exec chroot "$LAB_ROOT" /bin/sh -euc '
	mkdir -p "$LAB_HOME"
	if ! id -u "$LAB_USER" >/dev/null 2>&1; then
		useradd --create-home --base-dir "$LAB_HOME" --shell /bin/bash "$LAB_USER"
	fi
	[ "$LAB_PASSWORD" = no ] || chpasswd
	home=$(getent passwd "$LAB_USER" | cut -d: -f6)
	group=$(id -g "$LAB_USER")
	install -d -m 0700 -o "$LAB_USER" -g "$group" "$home/.ssh"
	printf "%s\n" "$LAB_KEY" >"$home/.ssh/authorized_keys"
	chmod 0600 "$home/.ssh/authorized_keys"
	chown "$LAB_USER:$group" "$home/.ssh/authorized_keys"
'
