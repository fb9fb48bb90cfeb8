# vm: dimms
# shellcheck shell=sh
# Bad blocks of files on ext4 and on ext4 on a partition: found, read around and cleared, by
# tests/vm/test_badblock.c and test_badblock_clear.c. Not on the first namespace of the region, so that
# the offsets in it, in its device and in the file differ.
make_labels
region=region$(region_of 384)

# create SIZE: an fsdax namespace in that region; prints its device
create() {
	ndctl create-namespace -r "$region" -m fsdax -M mem -s "$1" |
		sed -n 's/.*"blockdev":"\([^"]*\)".*/\1/p'
}

create 32M >/dev/null
make_ext4_dax /mnt/ext4 "/dev/$(create 64M)"
PMEM2FS_TEST_FSDAX=/mnt/ext4 "$build/tests/vm/test_badblock"
PMEM2FS_TEST_FSDAX=/mnt/ext4 "$build/tests/vm/test_badblock_clear"

# nor does FIBMAP, which the test uses to find a block, take account of the partition
partitioned=$(create 64M)
printf 'n\np\n1\n4096\n\nw\n' | busybox fdisk -u "/dev/$partitioned" >/dev/null 2>&1 || true
blockdev --rereadpt "/dev/$partitioned"
make_ext4_dax /mnt/partition "/dev/${partitioned}p1"
PMEM2FS_TEST_FSDAX=/mnt/partition "$build/tests/vm/test_badblock"
PMEM2FS_TEST_FSDAX=/mnt/partition "$build/tests/vm/test_badblock_clear"
