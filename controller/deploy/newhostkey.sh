# Makes a host key beside the one in use, and prints its public half.
set -eu
umask 077
new=/etc/ssh/icm_new_host_key
rm -f "$new" "$new.pub"
ssh-keygen -q -t ed25519 -N '' -C "$(hostname)" -f "$new"
cut -d' ' -f1,2 "$new.pub"
