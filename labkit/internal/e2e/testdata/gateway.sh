# A real Apache with the gateway of the kit in front of two instances.
set -u
. /tmp/common.sh
groupadd -g 51773 irisowner && useradd -u 51773 -g irisowner -m irisowner || fail users
cd /; mkdir -p /tmp/kits
for f in "$1"/IRIS-2023.1.1* "$1"/WebGateway-2023.1.1*; do tar -xzf "$f" -C /tmp/kits || fail "unpack $f"; done
export ISC_PACKAGE_INITIAL_SECURITY=Normal ISC_PACKAGE_MGRUSER=irisowner ISC_PACKAGE_MGRGROUP=irisowner ISC_PACKAGE_WEB_CONFIGURE=N \
 ISC_PACKAGE_USER_PASSWORD=s3cret ISC_PACKAGE_CSPSYSTEM_PASSWORD=g4te ISC_PACKAGE_STARTIRIS=Y
for n in 1 2; do
	ISC_PACKAGE_INSTANCENAME=S$n ISC_PACKAGE_INSTALLDIR=/usr/s$n ISC_PACKAGE_SUPERSERVER_PORT=5197$n ISC_PACKAGE_WEBSERVER_PORT=5277$n \
	 /tmp/kits/IRIS-2023*/irisinstall_silent >/tmp/out || fail "S$n: $(cat /tmp/out)"
done
# the least that Apache runs with
mkdir -p /etc/apache2 /var/www/html /var/log/apache2 /run/apache2
modules=/usr/lib/apache2/modules
printf 'ServerRoot /etc/apache2\nServerName localhost\nListen 80\nUser www-data\nGroup www-data\nPidFile /run/apache2/pid\nErrorLog /var/log/apache2/error.log\nLoadModule mpm_event_module %s/mod_mpm_event.so\nLoadModule authz_core_module %s/mod_authz_core.so\nLoadModule mime_module %s/mod_mime.so\nTypesConfig /dev/null\nDocumentRoot /var/www/html\n' $modules $modules $modules >/etc/apache2/apache2.conf
before=$(cat /etc/apache2/apache2.conf)

echo "# refusals"
install=/tmp/kits/WebGateway-2023.1.1.380.0-lnxubuntu2204x64/install/GatewayInstall
export ISC_PACKAGE_WEB_CONFIGURE=Y ISC_PACKAGE_WEB_SERVERTYPE=Apache
env ISC_PACKAGE_WEB_APACHE_CONF=/nowhere ISC_PACKAGE_MODE=unattended $install >/tmp/out && fail "installed without Apache"
$install </dev/null >/tmp/out && fail "attended"
env ISC_PACKAGE_MODE=unattended ISC_PACKAGE_WEB_APACHE_USER=nobodyhere $install >/tmp/out && fail "with a user that is not there"
[ "$before" = "$(cat /etc/apache2/apache2.conf)" ] || fail "a refusal changed Apache's configuration"

echo "# installed twice, edited once"
export ISC_PACKAGE_MODE=unattended ISC_PACKAGE_HOSTNAME=127.0.0.1 ISC_PACKAGE_SUPERSERVER_PORT=51971 ISC_PACKAGE_INSTANCENAME=s1
for n in 1 2; do $install >/tmp/out || fail "gateway: $(cat /tmp/out)"; done
[ "$(grep -c 'BEGIN-ApacheCSP-SECTION' /etc/apache2/apache2.conf)" = 1 ] || fail "sections: $(cat /etc/apache2/apache2.conf)"
ini=/opt/webgateway/bin/CSP.ini
grep -q 'Password=]]]' $ini || fail "the password is in the clear: $(cat $ini)"
[ "$(stat -c '%U %a' $ini)" = "www-data 600" ] || fail "CSP.ini: $(stat -c '%U %a' $ini)"

echo "# pages"
apache2 -f /etc/apache2/apache2.conf -k start || fail apache
page() { curl -s --max-time 60 "http://127.0.0.1$1"; }
reaches() { n=0; until page /csp/user/whoami | grep -q "instance $1 "; do n=$((n+1)); [ $n -gt 100 ] && fail "never $1: $(page /csp/user/whoami) $(cat /var/log/apache2/error.log)"; sleep 0.1; done; }
reaches S1
has SUCCESS "$(page /csp/user/isc_status.cxw)"
[ "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/csp/mirror_status.cxw)" = 503 ] || fail "mirror_status without a mirror"
[ "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/other)" = 404 ] || fail "a page that is not the gateway's"
has "written by S1" "$(curl -s --data-binary 'one' 'http://127.0.0.1/csp/user/records?key=1')"
has one "$(page '/csp/user/records?key=1')"
has one "$(printf 'write ^records(1)\nhalt\n' | iris session S1 -U USER -B 2>&1 || true; page '/csp/user/records?key=1')"
has "Management" "$(page /csp/bin/Systems/Module.cxw)"
ps -o user= -p "$(pgrep -f 'standin gateway')" | grep -q www-data || fail "the gateway keeps root's rights"

echo "# two servers in turn, one of them with a plain password; picked up with RELOAD"
{ printf '[SYSTEM]\nRELOAD=1\nServer_Response_Timeout=20\n[SYSTEM_INDEX]\nA=Enabled\nB=Enabled\n'
for n in 1 2; do name=$(echo AB | cut -c$n); printf '[%s]\nIp_Address=127.0.0.1\nTCP_Port=5197%s\nUsername=CSPSystem\nPassword=g4te\nConnection_Security_Level=0\n' $name $n; done
printf '[APP_PATH_INDEX]\n/=Enabled\n/csp=Enabled\n[APP_PATH:/]\nDefault_Server=A\n[APP_PATH:/csp]\nDefault_Server=A\nAlternative_Servers=LoadBalancing\nAlternative_Server_0=1~~~~~~A\nAlternative_Server_1=1~~~~~~B\n'; } >/tmp/new.ini
cat /tmp/new.ini >$ini
reaches S1; reaches S2
grep -q RELOAD $ini && fail "RELOAD stays"
got=$(for n in 1 2 3 4; do page /csp/user/whoami; done | cut -d' ' -f2 | sort | uniq -c | tr -d '\n')
has "2 S1" "$got"; has "2 S2" "$got"
iris force S1
for n in 1 2 3; do has "instance S2" "$(page /csp/user/whoami)"; done
sed -i 's/^Password=.*/Password=wrong/' $ini; printf 'RELOAD=1\n' >/tmp/r; sed -i '/^\[SYSTEM\]/r /tmp/r' $ini; chown www-data $ini
n=0; until page /csp/user/whoami | grep -q 'Access Denied'; do n=$((n+1)); [ $n -gt 100 ] && fail "a wrong password is right: $(page /csp/user/whoami)"; sleep 0.1; done
apache2 -f /etc/apache2/apache2.conf -k stop
n=0; while pgrep -f 'standin gateway' >/dev/null; do n=$((n+1)); [ $n -gt 300 ] && fail "the gateway outlives Apache"; sleep 0.1; done
echo PASS
