# Commands over the second serial line, under systemd; stage2.sh says how.
echo "machine: boot 1, $(cut -d' ' -f1 /proc/uptime) s after the kernel's start" >/dev/console
export SYSTEMD_PAGER=cat SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0 TERM=dumb # the line is a terminal
exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo
echo "machine: ready 1" >/dev/console
exec <&3 >&3
while read -r line; do
  sh -c "$line" </dev/null 2>&1
  echo "@end $?"
done
