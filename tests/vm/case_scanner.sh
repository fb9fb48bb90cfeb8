# vm: dimms
# shellcheck shell=sh
# tests/vm/test_scanner.c: in another process, mappings of files with DAX and of a node are found, and
# those of files without DAX are not.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 512)")"
PMEM2FS_TEST_FSDAX=/mnt/pmem PMEM2FS_TEST_PLAIN=/tmp \
	PMEM2FS_TEST_DEVDAX=$(make_devdax "$(region_of 448)") "$build/tests/vm/test_scanner"
