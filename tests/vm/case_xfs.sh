# vm: dimms
# shellcheck shell=sh
# A file on xfs with DAX, from the request to the unmounted file system.
make_xfs_dax /mnt/pmem "$(make_fsdax "$(region_of 512)")"
. "$here/fsdax.sh"
