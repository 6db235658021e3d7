#!/bin/busybox sh
# The machine's init: what a boot does on an endpoint, in the order of the units in examples/systemd: state, guard, agent.
# Commands come over the second serial line; they are the test's eyes and hands, the endpoint needs none of them.
export PATH=/bin:/usr/bin
state=/var/lib/ringward
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t devtmpfs dev /dev
mount -t cgroup2 cgroup /sys/fs/cgroup
echo "+memory +pids +cpu" >/sys/fs/cgroup/cgroup.subtree_control
mount -t ext4 /dev/vdb "$state" || echo "machine: no state disk"
chown -R 0:0 "$state"
boots=$(($(cat "$state/boots" 2>/dev/null || echo 0) + 1))
echo "$boots" >"$state/boots"
sync "$state/boots"
hostname endpoint
ip link set lo up
if [ -e /sys/class/net/eth0 ]; then
  ip link set eth0 up
  ip address add 10.0.2.15/24 dev eth0
fi
echo "machine: boot $boots, $(cut -d' ' -f1 /proc/uptime) s after the kernel's start"
if grep -q ringward.agent=1 /proc/cmdline; then
  ringward-agent guard --config /etc/ringward/agent.conf
  ringward-agent run --config /etc/ringward/agent.conf &
  echo $! >/run/agent.pid
fi
# Held open from here on: opening the line once more would throw away what has arrived.
exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo
echo "machine: ready $boots"
exec <&3 >&3
while read -r line; do
  sh -c "$line" </dev/null 2>&1
  echo "@end $?"
done
