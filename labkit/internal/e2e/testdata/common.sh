# What the scripts of this directory share. $1 is the kit directory. Every
# check prints what it expects when it fails.
fail() { echo "FAIL: $*"; cat /usr/irissys/mgr/messages.log 2>/dev/null | tail -n 15; exit 1; }
has() { case "$2" in *"$1"*) ;; *) fail "no '$1' in: $2" ;; esac; }
session() { printf '%s\n' "$@" halt | iris session IRIS -U "${NS:-%SYS}"; }
ready() { n=0; until printf 'write "re"_"ady"\nhalt\n' | iris session ${1:-IRIS} -U %SYS | grep -q ready; do n=$((n+1)); [ $n -gt 50 ] && fail "never ready"; sleep 0.1; done; }
ip link set lo up
