# vm: dimm
# limit: 300
# shellcheck shell=sh
# The path of an observed mapping leads to the mapped file, or is null.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 448)")"
start_daemon
# shellcheck disable=SC2154 # given by run-guest
. "$here/observing.sh"

# says PATH|null [deleted]: whether the document of the holder's mapping says that
says() {
	wanted="\"$1\""
	[ "$1" != null ] || wanted=null
	cat "/pmem2fs/obedient.$holder."* >/tmp/says
	grep -qF "\"path\": $wanted," /tmp/says && [ "$(grep -c '"deleted": true' /tmp/says)" -eq $(($# - 1)) ]
}

# path PATH|null [deleted]: the document says that once its facts have been read again
path() {
	sleep 1.1
	wait_for says "$@"
}

new_file() {
	fallocate -l 1M "$1"
}

# one of two names is removed, and then given to other files
new_file /mnt/pmem/w
ln /mnt/pmem/w /mnt/pmem/link
hold /mnt/pmem/w 0 65536
path /mnt/pmem/w
rm /mnt/pmem/w
path /mnt/pmem/w deleted
new_file /mnt/pmem/w
new_file "/mnt/pmem/w (deleted)"
path /mnt/pmem/w deleted
mv /mnt/pmem/link "/mnt/pmem/w (deleted)"
path "/mnt/pmem/w (deleted)"
rm "/mnt/pmem/w (deleted)"
path /mnt/pmem/w deleted
release

# names that end like the kernel's mark of a removed name
new_file "/mnt/pmem/x (deleted)"
hold "/mnt/pmem/x (deleted)" 0 65536
path "/mnt/pmem/x (deleted)"
mv "/mnt/pmem/x (deleted)" "/mnt/pmem/y (deleted) (deleted)"
path "/mnt/pmem/y (deleted) (deleted)"
rm "/mnt/pmem/y (deleted) (deleted)"
path "/mnt/pmem/y (deleted) (deleted)" deleted
release

# hidden by a mount, and unmounted lazily
new_file /mnt/pmem/f
hold /mnt/pmem/f 0 65536
mount -t tmpfs over /mnt/pmem
new_file /mnt/pmem/f
path null
umount /mnt/pmem
path /mnt/pmem/f
umount -l /mnt/pmem
path null
release
alive
