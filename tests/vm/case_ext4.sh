# vm: dimms
# shellcheck shell=sh
# A file on ext4 with DAX, from the request to the unmounted file system.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 512)")"
. "$here/fsdax.sh"
