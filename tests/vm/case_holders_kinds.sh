# vm: dimm
# limit: 900
# shellcheck shell=sh
# Ways to hold a mount point or a file on pmem without DAX, whose pages go through the page cache: what
# pmem2ctl holders says beside what umount says. All ways are tested on tmpfs, outside the virtual
# machine; these differ with the file system, or are what people do.
disk=$(make_fsdax "$(region_of 448)")
mkfs.ext4 -q -F -b 4096 "$disk"
modprobe -C /dev/null loop || :
cd /tmp
HOLDERS_MOUNT="-t ext4 $disk" /usr/bin/python3 -B \
	"$here/../unit/tools/ctl/test_pmem2ctl_holder_kinds.py" "$build/tools/pmem2ctl" \
	Kinds.test_mapped Kinds.test_program Kinds.test_library Kinds.test_mount_below \
	Kinds.test_other_namespace Kinds.test_bind_mount Kinds.test_socket Kinds.test_loop
