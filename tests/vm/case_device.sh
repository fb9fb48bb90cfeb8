# vm: dimms
# shellcheck shell=sh
# The library's view of devices, compared with sysfs and ndctl by tests/vm/test_device.c: namespaces
# of each mode, several of them in one region; bad blocks of files on ext4, xfs, a partition, below a
# device mapper, and of a device-DAX node, which begins somewhere in its region.
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
partitioned=$(create fsdax 64M)
create sector 32M >/dev/null
raw=$(create raw 48M)
node=$(create devdax 64M)
xfs=$(make_fsdax "$(region_of_type 4)")
export PMEM2FS_TEST_NAMESPACES=7 PMEM2FS_TEST_NODES=1

make_ext4_dax /mnt/ext4 "/dev/$fsdax"
PMEM2FS_TEST_FSDAX=/mnt/ext4 PMEM2FS_TEST_DEVDAX=/dev/$node PMEM2FS_TEST_DEVDAX_BAD= \
	"$build/tests/vm/test_device"

# FIBMAP, which the test asks where a block is, does not know of a partition either
printf 'n\np\n1\n4096\n\nw\n' | busybox fdisk -u "/dev/$partitioned" >/dev/null 2>&1 || true
blockdev --rereadpt "/dev/$partitioned"
make_ext4_dax /mnt/partition "/dev/${partitioned}p1"
PMEM2FS_TEST_FSDAX=/mnt/partition "$build/tests/vm/test_device"

make_xfs_dax /mnt/xfs "$xfs"
PMEM2FS_TEST_FSDAX=/mnt/xfs "$build/tests/vm/test_device"

if modprobe -C /dev/null dm-mod && command -v dmsetup >/dev/null; then
	dmsetup --noudevsync create over_pmem \
		--table "0 $(($(cat "/sys/block/$raw/size") - 2048)) linear /dev/$raw 2048"
	mkfs.ext4 -q -F -b 4096 /dev/dm-0
	mkdir /mnt/stacked
	mount /dev/dm-0 /mnt/stacked
	status=0
	PMEM2FS_TEST_STACKED=/mnt/stacked "$build/tests/vm/test_device" || status=$?
	umount /mnt/stacked
	dmsetup --noudevsync remove over_pmem
	[ "$status" -eq 0 ]
fi

# An uncorrected memory error puts its place into the list of the region. The processor's kind decides
# whether the kernel believes one that is not real.
modprobe -C /dev/null mce-inject
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
start=$((0x$(sed -n "s/^ *\([0-9a-f]*\)-[0-9a-f]* : $node\$/\1/p" /proc/iomem)))
cd /sys/kernel/debug/mce-inject
# the last one is before the node
for offset in 1048576 1049600 -4096; do
	echo sw >flags
	echo 0 >cpu
	printf 0xac00000000080080 >status
	printf 0x86 >misc
	printf 0x%x $((start + offset)) >addr
	echo 4 >bank
	sleep 1
done
cd /
PMEM2FS_TEST_DEVDAX=/dev/$node PMEM2FS_TEST_DEVDAX_BAD="1048576 512 1049600 512" \
	"$build/tests/vm/test_device"
