# What the controller runs as root to take the agent off a node without a
# trace. Doing it again does no harm.
#
# $1 directory of agents  $2 its home  $3 service  $4 group
# $5 directory of unit files  $6 directory of the socket
# $7 directory of unpacked kits  $8 directory of settings that an instance's
# unit reads; it stays while there is something in it
# $9 the watcher's service
set -u
lib=$1 home=$2 unit=$3 group=$4 units=$5 run=$6 kits=$7 settings=$8 watch=$9
bad=
note() { bad="$bad${bad:+; }$1"; }
# The watcher first: it would start the agent again.
for u in "$watch" "$unit"; do
	[ -e "$units/$u" ] || continue
	said=$(systemctl disable --now --quiet "$u" 2>&1) || note "systemctl: $(printf %s "$said" | tail -n 1)"
done
# A service that still runs would write its home again.
for u in "$watch" "$unit"; do
	systemctl is-active --quiet "$u" 2>/dev/null || continue
	printf 'icm:error=%s\n' "$u does not stop${bad:+: $bad}"
	exit 1
done
for u in "$watch" "$unit"; do
	rm -rf "$units/$u" "$units/$u.d" "$units/.$u.new" || note "unit file"
done
systemctl daemon-reload 2>/dev/null
systemctl reset-failed "$watch" "$unit" 2>/dev/null
rm -rf "$lib" "$home" "$run" "$kits" || note "files"
if [ -d "$settings" ]; then
	rmdir "$settings" 2>/dev/null || :
fi
if getent group "$group" >/dev/null 2>&1; then
	said=$(groupdel "$group" 2>&1) || note "groupdel: $said"
fi
if [ -n "$bad" ]; then
	printf 'icm:error=%s\n' "$bad"
	exit 1
fi
printf 'icm:done=removed\n'
