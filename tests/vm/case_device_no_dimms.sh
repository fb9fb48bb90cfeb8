# vm: no-dimms
# shellcheck shell=sh
# The library's view of devices, compared with sysfs and ndctl by tests/vm/test_device.c: pmem that
# belongs to no DIMM, and a device-DAX node that belongs to no NVDIMM region.
modprobe -C /dev/null dax_hmem
make_ext4_dax /mnt/e820 "$(device_of e820)"
make_ext4_dax /mnt/virtio "$(device_of virtio-pmem)"
PMEM2FS_TEST_FOLDERS="/mnt/e820 /mnt/virtio" PMEM2FS_TEST_NAMESPACES=2 PMEM2FS_TEST_NODES=1 \
	"$build/tests/vm/test_device"
