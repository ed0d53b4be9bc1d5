# What the controller runs as root to take the agent off a node without a
# trace. Doing it again does no harm.
#
# $1 directory of agents  $2 its home  $3 service  $4 group
# $5 directory of unit files  $6 directory of the socket
# $7 directory of unpacked kits  $8 directory of settings that an instance's
# unit reads; it stays while there is something in it
set -u
lib=$1 home=$2 unit=$3 group=$4 units=$5 run=$6 kits=$7 settings=$8
bad=
note() { bad="$bad${bad:+; }$1"; }
if [ -e "$units/$unit" ]; then
	said=$(systemctl disable --now --quiet "$unit" 2>&1) || note "systemctl: $(printf %s "$said" | tail -n 1)"
fi
# A service that still runs would write its home again.
if systemctl is-active --quiet "$unit" 2>/dev/null; then
	printf 'icm:error=%s\n' "the agent does not stop${bad:+: $bad}"
	exit 1
fi
rm -rf "$units/$unit" "$units/$unit.d" "$units/.$unit.new" || note "unit file"
systemctl daemon-reload 2>/dev/null
systemctl reset-failed "$unit" 2>/dev/null
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
