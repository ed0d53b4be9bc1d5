# Puts the new host key in the place of the old one. Done again, it finds its
# work done.
set -eu
new=/etc/ssh/icm_new_host_key
key=/etc/ssh/ssh_host_ed25519_key
if [ -e "$new" ]; then
	chmod 0644 "$new.pub"
	mv -f "$new.pub" "$key.pub"
	mv -f "$new" "$key"
	sync -f /etc/ssh
fi
# The old key came by cloud-init, which must not bring it back.
if [ -d /etc/cloud/cloud.cfg.d ]; then
	printf 'ssh_deletekeys: false\n' >/etc/cloud/cloud.cfg.d/99-icm-hostkey.cfg
fi
sshd=$(command -v sshd || echo /usr/sbin/sshd)
mkdir -p /run/sshd
"$sshd" -t
for unit in ssh sshd; do
	if systemctl is-active -q "$unit"; then
		systemctl reload "$unit"
		exit 0
	fi
done
# Started for each connection by a socket, it reads its keys each time.
systemctl is-active -q ssh.socket || systemctl is-active -q sshd.socket
