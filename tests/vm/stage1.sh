#!/bin/busybox sh
# First process of the initial RAM disk: loads the drivers of the disks and the network card, then changes to the real root.
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do
  /bin/busybox insmod "/modules/$module" || echo "stage1: no $module"
done
until [ -b /dev/vda ]; do /bin/busybox sleep 0.05; done
/bin/busybox mount -t ext4 /dev/vda /root
# Files of whoever built the disk; the agent believes settings of root only.
[ "$(/bin/busybox stat -c %u /root/etc/ringward)" = 0 ] || /bin/busybox chown -R 0:0 /root
/bin/busybox mount -o remount,ro /root
exec /bin/busybox switch_root /root /sbin/init
