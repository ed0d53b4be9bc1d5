# Runs inside a private root, network and process namespace. $1 is the kit
# directory. Every check prints what it expects when it fails.
set -u
. /tmp/common.sh
groupadd -g 51773 irisowner && useradd -u 51773 -g irisowner -m irisowner || fail users
useradd -m stranger
cd /; mkdir -p /tmp/kits
for f in "$1"/*.tar.gz; do tar -xzf "$f" -C /tmp/kits || fail "unpack $f"; done
old=/tmp/kits/IRIS-2023.1.0.235.1-lnxubuntu2204x64
new=/tmp/kits/IRIS-2023.1.1.380.0-lnxubuntu2204x64
export ISC_PACKAGE_INSTANCENAME=iris ISC_PACKAGE_INSTALLDIR=/usr/irissys ISC_PACKAGE_INITIAL_SECURITY=Normal \
 ISC_PACKAGE_MGRUSER=irisowner ISC_PACKAGE_MGRGROUP=irisowner ISC_PACKAGE_STARTIRIS=N ISC_PACKAGE_WEB_CONFIGURE=N

echo "# refusals"
refused() { "$@" >/tmp/out 2>&1 && fail "accepted: $*"; grep -q 'aborted' /tmp/out || fail "no abort text: $(cat /tmp/out)"; }
refused $old/irisinstall_silent
export ISC_PACKAGE_USER_PASSWORD=s3cret
refused env -u ISC_PACKAGE_INSTALLDIR $old/irisinstall_silent
refused env ISC_PACKAGE_WEB_CONFIGURE=Y ISC_PACKAGE_WEB_APACHE_CONF=/nowhere $old/irisinstall_silent
refused env ISC_PACKAGE_MGRUSER=nobodyhere $old/irisinstall_silent
refused env ISC_PACKAGE_MGRGROUP=nobodyhere $old/irisinstall_silent
refused env CDPATH=/ $old/irisinstall_silent
ln -s /usr /link; refused env ISC_PACKAGE_INSTALLDIR=/link/irissys $old/irisinstall_silent
mkdir -p /opt/x/mgr; printf 'FileType=InterSystems License\nExpirationDate=2001-01-01\n' >/opt/x/mgr/iris.key
refused env ISC_PACKAGE_INSTALLDIR=/opt/x $old/irisinstall_silent

echo "# install and first start with merge"
out=$($old/irisinstall_silent) || fail "install: $out"
[ "$(echo "$out" | tail -n 1)" = "Installation completed successfully" ] || fail "last line: $out"
has '^down, last used' "$(iris qlist IRIS)"
has 'IRIS^/usr/irissys^2023.1.0.235.1^' "$(iris qlist iris)"
[ "$(stat -c %a /usr/irissys/parameters.isc)" = 600 ] || fail "parameters.isc"
printf '[config]\nMaxServerConn=8\n[Actions]\nCreateDatabase:Name=DATA,Directory=/data/db/\nCreateNamespace:Name=APP,Globals=DATA\nModifyService:Name=%%Service_ECP,Enabled=1\nModifyService:Name=%%Service_Terminal,Enabled=1,AutheEnabled=48\nCreateUser:Name=root,Roles=%%All\n' >/tmp/m.cpf
install -d -o irisowner -g irisusr -m 775 /data
out=$(ISC_CPF_MERGE_FILE=/tmp/m.cpf iris start IRIS quietly) || fail "start: $out"
has 'global buffers' "$out"; has 'IRIS Merge completed successfully' "$out"
has 'already up!' "$(iris start IRIS quietly)"
ready
has '^running, since' "$(iris qlist IRIS)"
has 'SuperServer port = 1972, WebServer = 52773' "$(iris list IRIS)"
ps -o user=,tty= -p "$(pgrep -f bin/irisdb)" | grep -q 'irisown.*?' || fail "owner or terminal: $(ps aux | grep irisdb)"
has indeterminate "$(su stranger -c 'iris qlist IRIS')"
su stranger -c 'iris stop IRIS quietly' && fail "a stranger stopped it"
iris stop IRIS </dev/null >/tmp/out && fail "stopped without an answer"
has 'broadcast' "$(cat /tmp/out)"

echo "# data, sessions, sql"
NS=APP session 'set ^acked(1)="one"' 'set ^acked(2)="two"' 'frobnicate' >/tmp/out || fail "piped rc"
has '<SYNTAX>' "$(cat /tmp/out)"; has 'Instance: IRIS' "$(cat /tmp/out)"
iris session IRIS -U %SYS '##class(%File).Exists("/nowhere")' </dev/null || fail "method result 0"
iris session IRIS -U %SYS '##class(%File).Exists("/tmp")' </dev/null; [ $? = 1 ] || fail "method result 1"
has 'stand-in' "$(session 'write $zversion')"
out=$(printf "create table t (a int, b varchar(9))\ninsert into t (a,b) values (1,'x')\nselect count(*) from t\nselect a from missing\nq\n" | iris sql IRIS -U APP)
has 'Aggregate_1' "$out"; has '[SQLCODE: <-30>:<Table or view not found>]' "$out"
has 'Verizon' "$(printf 'SELECT Name,MSGGateway FROM %%SYS.PhoneProviders\nq\n' | iris sql IRIS)"
has 'Access Denied' "$(printf '_SYSTEM\nwrong\n' | su stranger -c 'iris session IRIS')"
has '42' "$(printf '_SYSTEM\ns3cret\nwrite 6*7\nhalt\n' | su stranger -c 'iris session IRIS')"

echo "# crash, recovery, clean stop"
kill -9 "$(pgrep -f bin/irisdb)"; n=0
until iris qlist IRIS | grep -q '\^crashed'; do n=$((n+1)); [ $n -gt 50 ] && fail "not crashed"; sleep 0.1; done
iris start IRIS quietly >/dev/null || fail "start after crash"
grep -q 'Previous system shutdown was abnormal' /usr/irissys/mgr/messages.log || fail "no abnormal line"
ready
has 'one' "$(NS=APP session 'write ^acked(1)')"
iris stop IRIS quietly || fail stop
tail -n 2 /usr/irissys/mgr/messages.log | grep -q 'Transaction rollback not required at next startup' || fail "clean lines"
before=$(/usr/irissys/bin/standin digest /data/db) || fail digest
/usr/irissys/bin/standin verify /data /usr/irissys/mgr || fail verify

echo "# upgrade in place"
out=$(env -u ISC_PACKAGE_INSTALLDIR $new/irisinstall_silent) || fail "upgrade: $out"
has '^2023.1.1.380.0^down' "$(iris qlist IRIS)"
refused $old/irisinstall_silent
iris start IRIS quietly >/dev/null || fail "start after upgrade"; ready
has 'two' "$(NS=APP session 'write ^acked(2)')"
refused $new/irisinstall_silent
iris stop IRIS quietly; [ "$before" = "$(/usr/irissys/bin/standin digest /data/db)" ] || fail "data changed by upgrade"

echo "# ecp from an older application server"
ISC_PACKAGE_INSTANCENAME=AS ISC_PACKAGE_INSTALLDIR=/usr/as ISC_PACKAGE_INITIAL_SECURITY=Minimal ISC_PACKAGE_STARTIRIS=Y \
 ISC_PACKAGE_SUPERSERVER_PORT=51773 ISC_PACKAGE_WEBSERVER_PORT=52774 /tmp/kits/IRIS-2018.2.0.792.0-lnxrhx64/irisinstall_silent >/tmp/out || fail "2018: $(cat /tmp/out)"
iris start IRIS quietly >/dev/null; ready; ready AS
printf '%s\n' 'set p("Address")="127.0.0.1",p("Port")=1972 write ##class(Config.ECPServers).Create("DM",.p)' 'kill p set p("Directory")="/data/db/",p("Server")="DM" write ##class(Config.Databases).Create("REMOTE",.p)' \
 'kill p set p("Globals")="REMOTE" write ##class(Config.Namespaces).Create("FAR",.p)' 'zn "FAR" write ^acked(1)' 'set ^acked(3)="three"' halt | iris session AS -U %SYS >/tmp/out
has one "$(cat /tmp/out)"
has three "$(NS=APP session 'write ^acked(3)')"
has "Unknown function" "$(iris merge AS /tmp/m.cpf)"
iris stop AS quietly || fail "stop AS"

echo "# mirror of two on one machine"
/usr/local/etc/irissys/ISCAgent >/dev/null & agent=$!
ISC_PACKAGE_INSTANCENAME=B ISC_PACKAGE_INSTALLDIR=/usr/b ISC_PACKAGE_INITIAL_SECURITY=Minimal ISC_PACKAGE_STARTIRIS=Y \
 ISC_PACKAGE_SUPERSERVER_PORT=51775 ISC_PACKAGE_WEBSERVER_PORT=52775 $new/irisinstall_silent >/tmp/out || fail "B: $(cat /tmp/out)"
ready B
on='set s("Enabled")=1 write ##class(Security.Services).Modify("%Service_Mirror",.s)'
mdb() { install -d -o irisowner -g irisusr -m 775 /data/m$1; echo "set p(\"Directory\")=\"/data/m$1/\" write ##class(Config.Databases).Create(\"MDB\",.p),##class(SYS.Database).CreateDatabase(\"/data/m$1/\",,,,,,\"MDB\",\"MIR\") kill p set p(\"Globals\")=\"MDB\" write ##class(Config.Namespaces).Create(\"MNS\",.p)"; }
wait_mirror() { n=0; until iris qlist $1 | grep -q "\^$2\^"; do n=$((n+1)); [ $n -gt 100 ] && fail "$1 is not $2: $(iris qlist $1)"; sleep 0.1; done; }
session "$on" 'set m("ECPAddress")="127.0.0.1" write ##class(SYS.Mirror).CreateNewMirrorSet("MIR","NODEA",.m)' >/tmp/out
wait_mirror IRIS 'Failover^Primary'
printf '%s\n' "$on" 'set m("ECPAddress")="127.0.0.1" write ##class(SYS.Mirror).JoinMirrorAsFailoverMember("MIR","NODEB","IRIS","127.0.0.1",2188,.m)' halt | iris session B -U %SYS >/tmp/out
wait_mirror B 'Failover^Backup'
session "$(mdb 1)" >/dev/null; { mdb 2; echo halt; } | iris session B -U %SYS >/dev/null
NS=MNS session 'set ^m(1)="mirrored"' >/dev/null
has '<PROTECT>' "$(printf 'set ^m(2)=1\nhalt\n' | iris session B -U MNS)"
iris stop IRIS quietly || fail "stop primary"
wait_mirror B 'Failover^Primary'
has mirrored "$(printf 'write ^m(1)\nhalt\n' | iris session B -U MNS)"
iris start IRIS quietly >/dev/null; wait_mirror IRIS 'Failover^Backup'
iris stop IRIS quietly; iris stop B quietly; kill $agent

echo "# newer journals refuse an older kit; newest kit; delete"
cp /usr/irissys/dist/release /tmp/rel; cp /usr/as/dist/release /usr/irissys/dist/release
iris start IRIS quietly >/tmp/out && fail "an older kit started on newer data"
grep -q 'has format 2, this version reads up to 1' /usr/irissys/mgr/messages.log || fail "no word on formats"
cp /tmp/rel /usr/irissys/dist/release
refused env ISC_PACKAGE_INSTANCENAME=C ISC_PACKAGE_INSTALLDIR=/usr/c ISC_PACKAGE_INITIAL_SECURITY=Minimal /tmp/kits/IRIS-2025.1.0.223.0-lnxubuntu2204x64/irisinstall_silent
/tmp/kits/IRIS-2025.1.0.223.0-lnxubuntu2204x64/irisinstall_silent >/tmp/out || fail "2025: $(cat /tmp/out)"
chown irisowner /data; mkdir -p /wij
sed -i 's!^wijdir=!wijdir=/wij/!' /usr/irissys/iris.cpf
iris start IRIS quietly >/tmp/out && fail "started with a WIJ directory of root's"
chown irisowner:irisusr /wij; chmod 775 /wij
sed -i 's!^PasswordHash=!PasswordHash=FBFE8593AEFA510C27FD184738D6E865A441DE98,u4ocm4qh!' /usr/irissys/iris.cpf
ISC_CPF_MERGE_FILE=/nowhere.cpf iris start IRIS quietly >/tmp/out || fail "a missing merge file stopped the start: $(cat /tmp/out)"
has 'cannot open merge file' "$(cat /tmp/out)"; ready
has '42' "$(printf '_SYSTEM\nSYS\nwrite 6*7\nhalt\n' | su stranger -c 'iris session IRIS')"
has 'Access Denied' "$(printf 'CSPSystem\nSYS\n' | su stranger -c 'iris session IRIS')"
has 'SuperServers: 1972' "$(iris list IRIS)"
[ "$(iris qlist IRIS | tr -cd '^' | wc -c)" = 13 ] || fail "14 fields: $(iris qlist IRIS)"
chown stranger /usr/local/etc/irissys; has 'Invalid registry ownership' "$(iris start AS quietly)"; chown root /usr/local/etc/irissys
echo health=hung >/usr/irissys/mgr/standin.conf; has '^hung^' "$(iris qlist IRIS)"; rm /usr/irissys/mgr/standin.conf
iris force IRIS || fail force
iris delete AS && [ -z "$(iris list AS | grep Configuration)" ] || fail delete
echo PASS
