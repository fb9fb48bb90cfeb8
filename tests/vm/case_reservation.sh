# vm: dimms
# limit: 300
# shellcheck shell=sh
# Vm reservations: files on ext4 with DAX, which are mapped with MAP_SYNC, and without, where the
# kernel refuses that late; and device DAX, which has pages of 2 MiB.
make_ext4_dax /mnt/dax "$(make_fsdax "$(region_of 512)")"
fallocate -l 16M /mnt/dax/file
"$build/tests/vm/test_reservation_dax" cache_line /mnt/dax/file
umount /mnt/dax

make_ext4_dax /mnt/plain "$(make_fsdax "$(region_of 512)")" dax=never
fallocate -l 16M /mnt/plain/file
"$build/tests/vm/test_reservation_dax" page /mnt/plain/file

"$build/tests/vm/test_reservation_dax" cache_line "$(make_devdax "$(region_of 448)")"
