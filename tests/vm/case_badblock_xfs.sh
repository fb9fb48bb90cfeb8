# vm: dimm
# shellcheck shell=sh
# Bad blocks of files on xfs: found, read around and cleared, by tests/vm/test_badblock.c and
# test_badblock_clear.c.
make_xfs_dax /mnt/xfs "$(make_fsdax "$(region_of 448)")"
PMEM2FS_TEST_FSDAX=/mnt/xfs "$build/tests/vm/test_badblock"
PMEM2FS_TEST_FSDAX=/mnt/xfs "$build/tests/vm/test_badblock_clear"
