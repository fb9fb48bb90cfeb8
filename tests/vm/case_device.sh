# vm: dimms
# shellcheck shell=sh
# The library's view of devices, compared with sysfs and ndctl by tests/vm/test_device.c: namespaces
# of each mode, several of them in one region; files on ext4, xfs and below a device mapper.
make_labels

# Regions are numbered as their probes end; a namespace type of 5 is that of one with labels.
region_of_type() {
	grep -l "^$1" /sys/bus/nd/devices/region*/nstype | sed -n '1s/.*region\([0-9]*\).*/\1/p'
}
labelled=$(region_of_type 5)

# create MODE SIZE: a namespace in that region; prints its device
create() {
	ndctl create-namespace -r "region$labelled" -m "$1" -s "$2" >/tmp/namespace.json
	sed -n 's/.*"\(blockdev\|chardev\)":"\([^"]*\)".*/\2/p' /tmp/namespace.json
}

fsdax=$(create fsdax 64M)
create fsdax 64M >/dev/null
create sector 32M >/dev/null
raw=$(create raw 48M)
create devdax 64M >/dev/null
xfs=$(make_fsdax "$(region_of_type 4)")
export PMEM2FS_TEST_NAMESPACES=7 PMEM2FS_TEST_NODES=1

make_ext4_dax /mnt/ext4 "/dev/$fsdax"
make_xfs_dax /mnt/xfs "$xfs"
if modprobe -C /dev/null dm-mod && command -v dmsetup >/dev/null; then
	dmsetup --noudevsync create over_pmem \
		--table "0 $(($(cat "/sys/block/$raw/size") - 2048)) linear /dev/$raw 2048"
	mkfs.ext4 -q -F -b 4096 /dev/dm-0
	mkdir /mnt/stacked
	mount /dev/dm-0 /mnt/stacked
	status=0
	PMEM2FS_TEST_STACKED=/mnt/stacked "$build/tests/vm/test_badblock" || status=$?
	PMEM2FS_TEST_FOLDERS="/mnt/ext4 /mnt/xfs /mnt/stacked" "$build/tests/vm/test_device" || status=$?
	umount /mnt/stacked
	dmsetup --noudevsync remove over_pmem
	[ "$status" -eq 0 ]
else
	PMEM2FS_TEST_FOLDERS="/mnt/ext4 /mnt/xfs" "$build/tests/vm/test_device"
fi
