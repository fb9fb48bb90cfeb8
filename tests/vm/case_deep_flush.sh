# vm: dimms
# shellcheck shell=sh
# Deep flush of a file and of a device-DAX node: the platform here needs none, so a file stands in for
# the attribute that asks for it. Its failure is reported.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 512)")"
busybox dd if=/dev/zero of=/mnt/pmem/file bs=64k count=1 2>/dev/null
region=$(region_of 448)
node=$(make_devdax "$region")
attribute=/sys/bus/nd/devices/region$region/deep_flush

"$build/tests/vm/deep_flush" cache_line /mnt/pmem/file 0
[ "$(cat "$attribute")" = 0 ]
"$build/tests/vm/deep_flush" cache_line "$node" 0

echo 2 >/tmp/deep_flush
mount --bind /tmp/deep_flush "$attribute"
status=0
"$build/tests/vm/deep_flush" cache_line "$node" 0 && [ "$(cat /tmp/deep_flush)" = 1 ] || status=1
mount -o remount,bind,ro "$attribute"
"$build/tests/vm/deep_flush" cache_line "$node" -30 || status=1
umount "$attribute"
[ "$status" -eq 0 ]
