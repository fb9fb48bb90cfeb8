# vm: dimm
# shellcheck shell=sh
# Parts of a mapping of device DAX, which splits only at its own alignment.
PMEM2FS_TEST_DEVDAX=$(make_devdax "$(region_of 448)")
export PMEM2FS_TEST_DEVDAX
"$build/tests/unit/lib/test_unmap_range"
"$build/tests/unit/lib/test_unmap_pieces"
