# vm: no-dimms
# shellcheck shell=sh
# The library's view of devices, compared with sysfs and ndctl by tests/vm/test_device.c: pmem that
# belongs to no DIMM.
PMEM2FS_TEST_NAMESPACES=2 "$build/tests/vm/test_device"
