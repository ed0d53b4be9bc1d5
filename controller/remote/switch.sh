# How a node changes its agent. It lies on the node, and needs neither the
# controller nor the network: a new agent that does not answer here gives way
# to the old one, and nothing else does that. Killed at any line, it goes on
# from the file "update" when it is run again, as after a reboot.
#
# $1 start: makes $7 current and starts it   watch: does what "update" says
# $2 directory of agents  $3 the agent's service  $4 directory of unit files
# $5 seconds a new agent must answer without a break
# $6 seconds after which it must have begun to
set -u
umask 022
mode=$1 lib=$2 unit=$3 units=$4 steady=$5 limit=$6
die() { printf '%s\n' "$1" >&2; exit 1; }
try() { said=$("$@" 2>&1) || die "$1: $(printf %s "$said" | tail -n 1)"; }
now() { read -r up _ < /proc/uptime; printf %s "${up%%.*}"; } # no clock that jumps

# write NAME TEXT leaves the old file or the whole new one. A full disk must not
# keep the old agent from coming back: whoever needs to know asks.
write() {
	{ printf '%s\n' "$2" > "$lib/.$1.new"; } 2>/dev/null || return
	sync "$lib/.$1.new" 2>/dev/null || sync
	mv -T "$lib/.$1.new" "$lib/$1" 2>/dev/null
}

point() { # point NAME BUILD: moves the link in one step
	try ln -sfn "$2" "$lib/.$1.new"
	try mv -T "$lib/.$1.new" "$lib/$1"
}

place() { # place BUILD: from now on it is the one that starts
	[ -x "$lib/$1/icm-agent" ] || die "there is no agent in $lib/$1"
	point current "$1"
	if [ "$(cat "$units/$unit" 2>/dev/null)" != "$(cat "$lib/$1/$unit")" ]; then
		try cp "$lib/$1/$unit" "$units/.$unit.new"
		try mv -T "$units/.$unit.new" "$units/$unit"
	fi
	try systemctl daemon-reload
	try systemctl enable --quiet "$unit"
	systemctl reset-failed "$unit" 2>/dev/null
}

log() { journalctl -q -n 1 -o cat --since "@$since" -u "$unit" _COMM=icm-agent 2>/dev/null | tail -n 1; }

prune() { # keeps current, previous, and whatever runs
	keep=" $(readlink "$lib/current") $(readlink "$lib/previous" 2>/dev/null) $(readlink /proc/[0-9]*/exe 2>/dev/null |
		sed -n "s#^$lib/\([^/]*\)/.*#\1#p" | tr '\n' ' ') "
	for d in "$lib"/* "$lib"/.part-*; do
		[ -d "$d" ] && [ ! -L "$d" ] || continue
		case $keep in *" ${d##*/} "*) ;; *) rm -rf "$d" ;; esac
	done
}

hello() { # the build and the process that answer here
	timeout -s KILL 3 "$lib/$new/icm-agent" hello 2>&1
}

# works waits until one process of the new agent has answered for a while.
works() {
	end=$(($(now) + limit)) pid='' last='it does not answer'
	while :; do
		t=$(now)
		if says=$(hello) && [ "${says% *}" = "$new" ]; then
			if [ "${says##* }" != "$pid" ]; then
				[ -z "$pid" ] || last='it ends and is started again'
				[ "$t" -le "$end" ] || return 1
				pid=${says##* } first=$t
			fi
			[ $((t - first)) -lt "$steady" ] || return 0
		else
			[ -z "$pid" ] || last='it answered, and then no more'
			pid=''
			[ "$t" -lt "$end" ] || return 1
		fi
		sleep 0.5
	done
}

forward() {
	since=$(date +%s)
	point previous "$old"
	place "$new"
	says=$(hello)
	# Start, not only restart: the old one may be down. What it runs has the
	# time its unit gives it.
	[ "${says% *}" = "$new" ] || systemctl stop "$unit" 2>/dev/null
	try systemctl start --no-block "$unit"
	works && return
	why=$(log)
	why="$last${why:+; its last words: $why}"
	return 1
}

back() {
	since=$(date +%s)
	if [ ! -x "$lib/$old/icm-agent" ]; then
		why="$why; agent $old is not there any more"
	elif [ "$(readlink "$lib/current")" != "$old" ]; then
		# It may not listen to a signal either, and its journal allows this.
		systemctl kill -s KILL --kill-who=main "$unit" 2>/dev/null
		place "$old"
		systemctl stop "$unit" 2>/dev/null
	fi
	# systemd goes on with it when this fails.
	said=$(systemctl start "$unit" 2>&1) || why="$why; agent $(readlink "$lib/current") does not start either: $(log)"
}

case $mode in
start)
	since=$(date +%s)
	place "$7"
	said=$(systemctl restart "$unit" 2>&1) || {
		log=$(log)
		die "the service does not start: ${log:-$said}"
	}
	rm -f "$lib/reverted"
	prune
	;;
watch)
	[ -e "$lib/update" ] || exit 0
	read -r format old new phase why < "$lib/update"
	[ "$format" = 1 ] || die "cannot understand $lib/update"
	if [ "$phase" = new ] && forward; then
		rm -f "$lib/reverted"
	else
		write update "1 $old $new back $why"
		back
		write reverted "$new $why"
	fi
	prune
	try rm -f "$lib/update" # the last act: somebody waits for it
	;;
esac
