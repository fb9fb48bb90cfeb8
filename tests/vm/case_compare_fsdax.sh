# vm: dimm
# limit: 300
# shellcheck shell=sh
# This library and Debian's libpmem2 side by side (tests/compare) on ext4 with DAX.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 448)")"
exec "$build/tests/compare/compare" "$build/lib/libpmem2fs.so" libpmem2.so.1 --fsdax /mnt/pmem
