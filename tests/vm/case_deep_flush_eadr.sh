# vm: eadr
# shellcheck shell=sh
# Stores and deep flush where the processor's caches are persistent.
make_ext4_dax /mnt/pmem "$(make_fsdax 0)"
busybox dd if=/dev/zero of=/mnt/pmem/file bs=64k count=1 2>/dev/null
"$build/tests/vm/deep_flush" byte /mnt/pmem/file 0
