# vm: dimms
# shellcheck shell=sh
# Mappings of files with DAX, of a node and of files without are told apart in another process, by
# tests/vm/test_scanner.c.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 512)")"
PMEM2FS_TEST_FSDAX=/mnt/pmem PMEM2FS_TEST_PLAIN=/tmp \
	PMEM2FS_TEST_DEVDAX=$(make_devdax "$(region_of 448)") "$build/tests/vm/test_scanner"
