# What the controller runs as root to put an agent in place and start it.
# Every step can be done again; nothing a running agent uses is written to.
#
# $1 push | activate | back
# $2 directory of agents   $3 build          $4 sha256 of the agent
# $5 the agent's service   $6 unit file      $7 group
# $8 protocol versions     $9 directory of unit files
# "push" reads the agent, compressed, from standard input.
set -u
umask 022
mode=$1 lib=$2 build=$3 sum=$4 unit=$5 text=$6 group=$7 protocol=$8 units=$9
dir=$lib/$build part=$lib/.part-$build
die() { printf 'icm:error=%s\n' "$1"; rm -rf "$part"; exit 1; }
try() { said=$("$@" 2>&1) || die "$1: $(printf %s "$said" | tail -n 1)"; }

put() {
	rm -rf "$part"
	try mkdir -p "$part"
	said=$({ gzip -dc > "$part/icm-agent"; } 2>&1) || die "cannot unpack the agent: $(printf %s "$said" | tail -n 1)"
	got=$(sha256sum "$part/icm-agent") || die "cannot read back the agent"
	[ "${got%% *}" = "$sum" ] || die "the agent arrived damaged"
	try chmod 755 "$part/icm-agent"
	printf '%s' "$text" > "$part/$unit" || die "cannot write the unit file"
	printf '%s\n' "$protocol" > "$part/protocol" || die "cannot write $part/protocol"
	# A policy may label what is under lib so that systemd may not start it.
	if command -v selinuxenabled >/dev/null 2>&1 && selinuxenabled; then chcon -t bin_t "$part/icm-agent" 2>/dev/null; fi
	said=$("$part/icm-agent" version 2>&1) || die "cannot run: $(printf %s "$said" | tail -n 1)"
	sync "$part/icm-agent" 2>/dev/null || sync
	rm -rf "$dir"
	try mv -T "$part" "$dir"
}

point() { # point NAME BUILD: moves the link in one step
	try ln -sfn "$2" "$lib/.$1.new"
	try mv -T "$lib/.$1.new" "$lib/$1"
}

start() {
	[ -x "$dir/icm-agent" ] || die "there is no agent in $dir"
	try groupadd -f -r "$group"
	old=$(readlink "$lib/current" 2>/dev/null)
	if [ "$mode" = back ]; then rm -f "$lib/previous"
	elif [ -n "$old" ] && [ "$old" != "$build" ]; then point previous "$old"; fi
	point current "$build"
	try cp "$dir/$unit" "$units/.$unit.new"
	try mv -T "$units/.$unit.new" "$units/$unit"
	try systemctl daemon-reload
	try systemctl enable --quiet "$unit"
	systemctl reset-failed "$unit" 2>/dev/null
	said=$(systemctl restart "$unit" 2>&1) || {
		log=$(journalctl -q -n 1 -o cat -u "$unit" _COMM=icm-agent 2>/dev/null)
		die "the service does not start: ${log:-$said}"
	}
}

prune() { # all but current and previous
	keep1=$(readlink "$lib/current") keep2=$(readlink "$lib/previous" 2>/dev/null)
	for d in "$lib"/* "$lib"/.part-*; do
		[ -d "$d" ] && [ ! -L "$d" ] || continue
		case ${d##*/} in "$keep1"|"$keep2") ;; *) rm -rf "$d" ;; esac
	done
}

[ "$mode" = push ] && put
start
prune
printf 'icm:done=%s\n' "$build"
