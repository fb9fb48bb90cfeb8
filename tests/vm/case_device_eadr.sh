# vm: eadr
# shellcheck shell=sh
# The library's view of devices, compared with sysfs and ndctl by tests/vm/test_device.c: the
# persistence domain reaches up to the processor's caches.
make_fsdax 0 >/dev/null
PMEM2FS_TEST_NAMESPACES=1 "$build/tests/vm/test_device"
