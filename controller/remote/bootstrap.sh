# What the controller runs first on a node, as the SSH user. If the right agent
# runs, this becomes the stream to it; otherwise it says what it found, one
# "icm:NAME=VALUE" a line, and changes nothing.
#
# $1 directory of agents  $2 build wanted, or "?" to only look
# $3 the agent's service  $4 protocol versions wanted, "OLDEST NEWEST"
lib=$1 want=$2 unit=$3 wanted=$4
say() { printf 'icm:%s=%s\n' "$1" "$2"; }

root='sudo -n'
[ "$(id -u)" = 0 ] && root=
have=$(readlink "$lib/current" 2>/dev/null)
have=${have##*/}
active=no
[ -n "$have" ] && systemctl is-active --quiet "$unit" 2>/dev/null && active=yes
if [ $active = yes ] && [ "$have" = "$want" ]; then
	exec $root "$lib/current/icm-agent" dial
fi

. /etc/os-release 2>/dev/null
near=$lib
while [ ! -d "$near" ]; do near=$(dirname "$near"); done
if said=$($root true 2>&1 </dev/null); then sudo=ok; else sudo=${said:-refused}; fi
systemd=no
[ -d "${ICM_SYSTEMD:-/run/systemd/system}" ] && systemd=yes
say os "${ID:-unknown} ${VERSION_ID:-}"
say kernel "$(uname -s)"
say machine "$(uname -m)"
say user "$(id -un)"
say sudo "$(printf %s "$sudo" | tail -n 1)"
say systemd $systemd
say init "$(cat /proc/1/comm 2>/dev/null)"
say freekb "$(df -Pk "$near" 2>/dev/null | awk 'NR == 2 { print $4 }')"
say build "$have"
say sha256 "$(sha256sum "$lib/$want/icm-agent" 2>/dev/null | cut -d' ' -f1)"
say protocol "$(cat "$lib/$have/protocol" 2>/dev/null)"
say reverted "$(head -n 1 "$lib/reverted" 2>/dev/null)"
say active $active
say end "$wanted"
