# What the controller runs as root to put an agent in place and start it.
# Every step can be done again; nothing a running agent uses is written to.
# switch.sh does what must not depend on this session.
#
# $1 push | activate
# $2 directory of agents   $3 build          $4 sha256 of the agent
# $5 the agent's service   $6 its unit file  $7 group
# $8 protocol versions     $9 directory of unit files
# ${10} the watcher's service   ${11} its unit file
# ${12} switch.sh               ${13} its two times, in seconds
# "push" reads the agent, compressed, from standard input.
set -u
umask 022
mode=$1 lib=$2 build=$3 sum=$4 unit=$5 text=$6 group=$7 protocol=$8 units=$9
watch=${10} watchtext=${11} switch=${12} times=${13}
dir=$lib/$build part=$lib/.part-$build
die() { printf 'icm:error=%s\n' "$1"; rm -rf "$part"; exit 1; }
try() { said=$("$@" 2>&1) || die "$1: $(printf %s "$said" | tail -n 1)"; }
now() { read -r up _ < /proc/uptime; printf %s "${up%%.*}"; }

write() { # write FILE TEXT: in one step
	new=${1%/*}/.${1##*/}.new
	said=$({ printf '%s\n' "$2" > "$new"; } 2>&1) || die "cannot write $1: $(printf %s "$said" | tail -n 1)"
	sync "$new" 2>/dev/null || sync
	try mv -T "$new" "$1"
}

alone() { # two controllers must not write here at once
	try mkdir -p "$lib"
	try touch "$lib/.lock"
	exec 9> "$lib/.lock"
	flock -w 240 9 || die "another icm puts an agent on this node"
}

put() {
	rm -rf "$part"
	try mkdir -p "$part"
	said=$({ gzip -dc > "$part/icm-agent"; } 2>&1) || die "cannot unpack the agent: $(printf %s "$said" | tail -n 1)"
	got=$(sha256sum "$part/icm-agent") || die "cannot read back the agent"
	[ "${got%% *}" = "$sum" ] || die "the agent arrived damaged"
	try chmod 755 "$part/icm-agent"
	write "$part/$unit" "$text"
	write "$part/protocol" "$protocol"
	# A policy may label what is under lib so that systemd may not start it.
	if command -v selinuxenabled >/dev/null 2>&1 && selinuxenabled; then chcon -t bin_t "$part/icm-agent" 2>/dev/null; fi
	said=$("$part/icm-agent" version 2>&1) || die "cannot run: $(printf %s "$said" | tail -n 1)"
	sync "$part/icm-agent" 2>/dev/null || sync
	rm -rf "$dir"
	try mv -T "$part" "$dir"
}

await() { # the watcher always ends: the old agent's stop, a new one, and back
	end=$(($(now) + 240))
	while [ -e "$lib/update" ]; do
		[ "$(now)" -lt "$end" ] || die "the update does not end; see systemctl status $watch"
		sleep 0.2
	done
}

update() {
	write "$lib/update" "1 $old $build new"
	said=$(systemctl start "$watch" 2>&1) || { rm -f "$lib/update"; die "systemctl: $(printf %s "$said" | tail -n 1)"; }
	await
	if [ "$(readlink "$lib/current")" != "$build" ]; then
		read -r _ why 2>/dev/null < "$lib/reverted"
		die "agent $build does not work here: ${why:-no reason was recorded}; the old agent $old was put back"
	fi
}

alone
if [ -e "$lib/update" ]; then # somebody's update; it ends first
	try systemctl start "$watch"
	await
fi
[ "$mode" = push ] && put
[ -x "$dir/icm-agent" ] || die "there is no agent in $dir"
try groupadd -f -r "$group"
write "$lib/switch.sh" "$switch"
write "$units/$watch" "$watchtext"
try systemctl daemon-reload
try systemctl enable --quiet "$watch"
old=$(readlink "$lib/current" 2>/dev/null)
if [ -n "$old" ] && [ "$old" != "$build" ] && [ -x "$lib/$old/icm-agent" ]; then
	update
else
	# shellcheck disable=SC2086 # two words
	said=$(/bin/sh "$lib/switch.sh" start "$lib" "$unit" "$units" $times "$build" 2>&1) || die "$said"
fi
printf 'icm:done=%s\n' "$build"
